// Command showcase serves an invented office in the place of a daemon, to try the faces and to take pictures of them: peers of all
// kinds whose traffic comes and goes, a path that changes, denials, a warning. Nothing of it is real, and it touches no network.
//
//	go run ./internal/lab/showcase -socket /tmp/office.sock &
//	cvlan tui --socket /tmp/office.sock
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cvlan/cvlan/internal/lab/standin"
)

func main() {
	socket := flag.String("socket", "/tmp/office.sock", "where to listen")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d, err := standin.Serve(*socket, newOffice(time.Now()), time.Second)
	if err != nil {
		fmt.Fprintln(os.Stderr, "showcase:", err)
		os.Exit(1)
	}
	fmt.Println("cvlan tui --socket", *socket)
	<-ctx.Done()
	_ = d.Close()
}
