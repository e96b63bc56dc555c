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
	trouble := flag.Bool("trouble", false, "show a warning, and a second network that is off")
	exit := flag.String("exit", "", "through which peer what is for the internet leaves: nas or router-nyc")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := newOffice(time.Now())
	o.trouble, o.exit = *trouble, *exit
	d, err := standin.Serve(*socket, o, time.Second)
	if err != nil {
		fmt.Fprintln(os.Stderr, "showcase:", err)
		os.Exit(1)
	}
	fmt.Println("cvlan tui --socket", *socket)
	<-ctx.Done()
	_ = d.Close()
}
