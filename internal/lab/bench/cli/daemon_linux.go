package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/sse"
)

// daemon is a stand-in with so many peers.
type daemon struct {
	dir, socket string
	server      *http.Server
	gone        chan struct{}
	status      local.Status
	answer      []byte // the same in JSON
}

func startDaemon(peers int) (*daemon, error) {
	dir, err := os.MkdirTemp("", "cvlan-bench-")
	if err != nil {
		return nil, err
	}
	d := &daemon{dir: dir, socket: filepath.Join(dir, "s"), gone: make(chan struct{}), status: crowd(peers)}
	if d.answer, err = json.Marshal(d.status); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", d.socket)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+local.GetStatus.Path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(d.answer)
	})
	mux.HandleFunc("GET "+local.WatchStatus.Path, d.watch)
	mux.HandleFunc("POST "+local.PostPath.Path, d.path)
	d.server = &http.Server{Handler: mux}
	go func() {
		defer close(d.gone)
		_ = d.server.Serve(l)
	}()
	return d, nil
}

func (d *daemon) stop() {
	_ = d.server.Close()
	<-d.gone
	_ = os.RemoveAll(d.dir)
}

// watch tells the state of now; then nothing changes.
func (d *daemon) watch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", sse.ContentType)
	if err := errors.Join(sse.Write(w, local.EventStatus, d.status), http.NewResponseController(w).Flush()); err == nil {
		<-r.Context().Done()
	}
}

func (d *daemon) path(w http.ResponseWriter, _ *http.Request) {
	at := netip.MustParseAddrPort("192.0.2.1:41641")
	_ = json.NewEncoder(w).Encode(local.PeerPath{Schema: 1, Path: local.PathDirect, Candidates: []local.Candidate{{Path: local.PathDirect, Address: &at, Kind: "host", State: "works", Chosen: true, RTT: 21e6}}})
}

// crowd is a state with so many peers of all kinds.
func crowd(n int) local.Status {
	now := time.Now()
	net := local.Network{ID: "n1", Name: "office", State: local.Up, Interface: "cvlan0", Port: 41641, MTU: 1380, Controller: local.Controller{Address: "ctl.example.com:443", Connected: true, Transport: "quic", Since: &now}}
	for i := range n {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 41641)
		net.Peers = append(net.Peers, local.Peer{
			Node:   local.Node{ID: fmt.Sprintf("n%012d", i), Name: fmt.Sprintf("node-%d", i), Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)})}, Tags: []string{"web"}, Key: "hV0wbqvZz0q5r2m1ZQZc9k7o4a3u8N1yJmXr5bq7TbA="},
			Online: i%3 > 0, LastSeen: &now, Protocol: "wireguard", Path: [...]string{local.PathDirect, local.PathRelay, local.PathIdle}[i%3], Endpoint: &at, Candidates: []netip.AddrPort{at}, LastHandshake: &now, RxBytes: uint64(i) << 20, TxBytes: uint64(i) << 10,
		})
	}
	return local.Status{Schema: 1, Since: now, Networks: []local.Network{net}}
}
