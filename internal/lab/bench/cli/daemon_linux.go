package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab/standin"
)

// daemon is a stand-in with so many peers, in which nothing changes.
type daemon struct {
	*standin.Daemon
	dir, socket string
	status      []byte
}

func startDaemon(peers int) (*daemon, error) {
	dir, err := os.MkdirTemp("", "cvlan-bench-")
	if err != nil {
		return nil, err
	}
	d := &daemon{dir: dir, socket: filepath.Join(dir, "s")}
	if d.status, err = json.Marshal(crowd(peers)); err == nil {
		d.Daemon, err = standin.Serve(d.socket, d, 0)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return d, nil
}

func (d *daemon) stop() {
	_ = d.Close()
	_ = os.RemoveAll(d.dir)
}

func (d *daemon) Status() []byte { return d.status }

func (d *daemon) Path(local.PathRequest) (local.PeerPath, error) {
	at := netip.MustParseAddrPort("192.0.2.1:41641")
	return local.PeerPath{Schema: local.Schema, Path: local.PathDirect, Candidates: []local.Candidate{{Path: local.PathDirect, Address: &at, Kind: "host", State: "works", Chosen: true, RTT: 21e6}}}, nil
}

func (d *daemon) Reach(local.PathRequest) (local.Reach, error)     { return local.Reach{}, nil }
func (d *daemon) Certificates() local.Certificates                 { return local.Certificates{} }
func (d *daemon) Ping(local.PingRequest) (local.Pong, error)       { return local.Pong{}, nil }
func (d *daemon) PolicyLog(local.PolicyLogRequest) local.PolicyLog { return local.PolicyLog{} }
func (d *daemon) NetCheck() local.NetCheck                         { return local.NetCheck{} }
func (d *daemon) DNS() local.DNS                                   { return local.DNS{} }
func (d *daemon) Set(local.SetRequest) (local.Settings, error)     { return local.Settings{}, nil }

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
	return local.Status{Schema: local.Schema, Since: now, Networks: []local.Network{net}}
}
