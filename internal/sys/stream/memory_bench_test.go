package stream

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
)

// crowd is how many clients the benchmark connects, from a process of their own so that only the server's half is measured.
const crowd = 1000

// errand is what the clients' process is told on its standard input.
type errand struct {
	Addr      string
	Transport Transport
	Chain     [][]byte
	Key       []byte
	Pin       [32]byte
}

const crowdEnv = "CVLAN_TEST_CROWD"

// BenchmarkIdleClient reports what the server holds for a client with a live, idle stream: heap and stacks after a collection, and the
// growth of resident memory before and after one.
func BenchmarkIdleClient(b *testing.B) {
	for _, transport := range []Transport{TCP, QUIC} {
		b.Run(string(transport), func(b *testing.B) {
			for b.Loop() {
				measureCrowd(b, transport)
			}
		})
	}
}

func measureCrowd(b *testing.B, transport Transport) {
	r := theRealm()
	here := make(chan struct{}, crowd)
	l := listen(b, ListenConfig{Limits: Limits{PerSource: crowd}})
	stop := run(b, l, func(ctx context.Context, s Stream) {
		s.Recv()
		here <- struct{}{}
		s.Recv()
	})
	debug.FreeOSMemory()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	empty := resident(b)

	der, err := x509.MarshalPKCS8PrivateKey(r.node.Key)
	if err != nil {
		b.Fatal(err)
	}
	told, err := json.Marshal(errand{l.Addr().String(), transport, r.node.Chain, der, r.root.Pin()})
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrowd$")
	cmd.Env = append(os.Environ(), crowdEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	fmt.Fprintf(in, "%s\n", told)
	for range crowd {
		<-here
	}
	full := resident(b)
	debug.FreeOSMemory()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/crowd/1024, "heap-KB/client")
	b.ReportMetric(float64(after.StackInuse-before.StackInuse)/crowd/1024, "stack-KB/client")
	b.ReportMetric(float64(resident(b)-empty)/crowd/1024, "rss-KB/client")
	b.ReportMetric(float64(full-empty)/crowd/1024, "rss-before-gc-KB/client")
	b.ReportMetric(float64(runtime.NumGoroutine())/crowd, "goroutines/client")
	in.Close()
	cmd.Wait()
	stop()
}

// resident returns the process's resident memory in bytes.
func resident(b *testing.B) int {
	f, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("resident memory is read from /proc, which is not here")
	}
	var size, pages int
	fmt.Sscan(string(f), &size, &pages)
	return pages * os.Getpagesize()
}

// TestCrowd is the clients' process of BenchmarkIdleClient: it connects, says a word, and stays until its input ends.
func TestCrowd(t *testing.T) {
	if os.Getenv(crowdEnv) == "" {
		t.Skip("only as a process of the benchmark")
	}
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var e errand
	if err := json.Unmarshal(line, &e); err != nil {
		t.Fatal(err)
	}
	k, err := x509.ParsePKCS8PrivateKey(e.Key)
	if err != nil {
		t.Fatal(err)
	}
	conf := ClientTLS{Pin: e.Pin, Certificate: &tls.Certificate{Certificate: e.Chain, PrivateKey: k}}.Config()
	turns := make(chan struct{}, 16)
	var mu sync.Mutex
	var all []Stream
	var group sync.WaitGroup
	for range crowd {
		group.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			s, err := Dial(context.Background(), DialConfig{Addrs: []string{e.Addr}, Transport: e.Transport, TLS: conf})
			if err != nil {
				t.Error(err)
				return
			}
			s.Send(context.Background(), encode(ping(1)))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, s)
		})
	}
	group.Wait()
	io.Copy(io.Discard, in)
	for _, s := range all {
		group.Go(func() { s.Close() })
	}
	group.Wait()
}
