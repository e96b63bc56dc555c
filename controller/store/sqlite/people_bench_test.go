package sqlite

import (
	"fmt"
	"sync"
	"testing"

	"github.com/cvlan/cvlan/controller/store"
)

// BenchmarkDirectory has 100,000 users in one group and measures what looks at all of them, and what must not.
func BenchmarkDirectory(b *testing.B) {
	const users, callers = 100_000, 100
	s := openTest(b, Config{Dir: fastDir(b)})
	h, _, _, _ := settle(b, s)
	ctx := b.Context()
	if _, err := h.CreateGroup(ctx, "bench", "group:all"); err != nil {
		b.Fatal(err)
	}
	if _, err := h.CreateGroup(ctx, "bench", "group:few"); err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range users / callers {
				if _, err := h.CreateUser(ctx, "bench", store.User{Login: fmt.Sprintf("u%d-%d@example.com", i, j), Groups: []string{"group:all"}}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	run := func(name string, do func(i int) error) {
		b.Run(name, func(b *testing.B) {
			cpu := cpuTime()
			for i := range b.N {
				if err := do(i); err != nil {
					b.Fatal(err)
				}
			}
			report(b, cpu)
		})
	}
	run("load", func(int) error { _, err := h.Load(ctx); return err })
	run("page", func(int) error { _, err := h.Users(ctx, "u50-0@example.com", 1000); return err })
	run("members", func(int) error { _, err := h.Members(ctx, "group:all", "u50-0@example.com", 1000); return err })
	run("role", func(i int) error {
		_, err := h.PutUser(ctx, "bench", store.User{Login: "u1-1@example.com", Role: store.Role(i % 2), Groups: []string{"group:all"}}, 0)
		return err
	})
	run("regroup", func(i int) error {
		login := []string{"u1-1@example.com"}
		if i%2 == 0 {
			_, err := h.ChangeMembers(ctx, "bench", "group:few", login, nil)
			return err
		}
		_, err := h.ChangeMembers(ctx, "bench", "group:few", nil, login)
		return err
	})
	b.Run("deleteGroup", func(b *testing.B) {
		if b.N > 1 {
			b.Skip("there is one")
		}
		cpu := cpuTime()
		if err := h.DeleteGroup(ctx, "bench", "group:all"); err != nil {
			b.Fatal(err)
		}
		report(b, cpu)
	})
}
