package engine

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
)

// retrySave is how long a disk that refused is left alone.
const retrySave = time.Minute

// came is what Keep.Came was told last.
type came struct {
	network, tenant, iface string
	port                   uint16
}

// noteHome keeps the relay where the node is at home, when it is another than last time.
func (e *Engine) noteHome() {
	h := ident.Relay(e.home.Load())
	if h == e.keptHome {
		return
	}
	if err := e.cfg.Keep.Home(h); err != nil {
		e.log.Warn("home relay not kept", logx.Err, err)
	}
	e.keptHome = h // it is not so much that it would be tried again
}

// dirty notes that the disk is behind, and when to write.
func (e *Engine) dirty() {
	if e.saveAt.IsZero() {
		e.saveAt = e.saved.Add(saveEvery)
	}
}

// save hands the newest state to the saver if the disk is behind. Before there is a map there is nothing to save, and the first one
// must not wait for its turn: a machine that dies just after its join comes back from it.
func (e *Engine) save() {
	if e.saveAt.IsZero() {
		return
	}
	e.saveAt = time.Time{}
	if _, known := e.table.Self(); known {
		e.saved, e.kept = time.Now(), e.clock.Heard()
		e.saver.put(e.table.Encode(), e.kept)
	}
}

// wrote is called by the saver; only the newest result matters.
func (e *Engine) wrote(err error) {
	for {
		select {
		case e.written <- err:
			return
		default:
		}
		select {
		case <-e.written:
		default:
		}
	}
}

func (e *Engine) noteWritten(err error) {
	if err != nil {
		if e.unsaved == nil {
			e.log.Error("map not saved", logx.Err, err)
		}
		e.saveAt = time.Now().Add(retrySave)
	}
	if (err == nil) != (e.unsaved == nil) {
		e.changed()
	}
	e.unsaved = err
}

// settleWritten takes the last result after the saver has ended.
func (e *Engine) settleWritten() {
	select {
	case err := <-e.written:
		e.noteWritten(err)
	default:
	}
}

// note keeps what came up, when it differs from last time.
func (e *Engine) note() {
	n, _ := e.table.Network()
	c := came{n.Name, n.Tenant, e.dev.name, e.dev.tunnel.Port()}
	if c == e.came {
		return
	}
	if err := e.cfg.Keep.Came(c.network, c.tenant, c.iface, c.port); err != nil {
		e.log.Warn("interface and port not kept", logx.Err, err)
		return
	}
	e.came = c
}
