// A shim for LD_PRELOAD: User-Mode Linux before 6.13 keeps a buffer of 2,696 bytes for the processor's extended state, but a host with
// AMX wants its whole, larger area back from ptrace(PTRACE_SETREGSET, NT_X86_XSTATE), and the guest panics at its start. The shim
// pads such a write with zeros and clears the AMX bits of XSTATE_BV. On other hosts it changes nothing.
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NT_X86_XSTATE 0x202
#define AMX_BITS ((1ul << 17) | (1ul << 18))
#define XSTATE_BV 512 // its place: behind the legacy area

static unsigned full; // bytes of the host's whole area, asked once
static char area[65536] __attribute__((aligned(64)));

static long set_xstate(long pid, void *addr, struct iovec *given)
{
	struct iovec all = {area, sizeof area};
	if (!full && syscall(SYS_ptrace, PTRACE_GETREGSET, pid, addr, &all) == 0)
		full = all.iov_len;
	if (full <= given->iov_len)
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, addr, given);
	memset(area, 0, full);
	memcpy(area, given->iov_base, given->iov_len);
	*(unsigned long *)(area + XSTATE_BV) &= ~AMX_BITS;
	all.iov_len = full;
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, addr, &all);
}

// The raw call returns what it read through a pointer, the library's as its result.
static long peek(enum __ptrace_request rq, long pid, void *addr)
{
	long out;
	if (syscall(SYS_ptrace, rq, pid, addr, &out) < 0)
		return -1;
	errno = 0;
	return out;
}

long ptrace(enum __ptrace_request rq, ...)
{
	va_list ap;
	va_start(ap, rq);
	long pid = va_arg(ap, long);
	void *addr = va_arg(ap, void *), *data = va_arg(ap, void *);
	va_end(ap);

	switch (rq) {
	case PTRACE_SETREGSET:
		if ((long)addr == NT_X86_XSTATE)
			return set_xstate(pid, addr, data);
		break;
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSER:
		return peek(rq, pid, addr);
	default:
		break;
	}
	return syscall(SYS_ptrace, rq, pid, addr, data);
}
