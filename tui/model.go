package tui

import (
	"context"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/cvlan/cvlan/tui/draw"
)

// Model is the whole interface. Only the program's loop may use it.
type Model struct {
	config  *Config
	ctx     context.Context
	news    <-chan news
	world   *world
	screens [places]screen
	at      place

	peers    *peersScreen
	details  *details
	detailed bool // a peer is shown in full
	health   *healthScreen
	denials  *denialsScreen
	policy   *policyScreen
	nodes    *nodesScreen
	keys     *keysScreen
	help     *helpScreen
	helping  bool
	dialog   *dialog
	secret   *secret // a join key that was made, shown once
	mouseOff bool    // so that the terminal marks text

	width, height int
	notice        say
	noticeUntil   time.Time
	pathAsked     bool
	reachAsked    bool
	proofAsked    bool
	turn          int

	later *news    // counters that the next second takes in, so that the screen changes once
	same  bool     // nothing has changed since the last drawing
	drawn tea.View // the last drawing

	stops chan os.Signal // wishes that the program stop for a while
}

// tick is a second that has passed.
type tick time.Time

func newModel(ctx context.Context, c *Config, n <-chan news) *Model {
	w := &world{now: c.Now(), theme: draw.Dark(), byID: map[peerID]*peer{}, paths: map[peerID]pathNews{}, reach: map[peerID]reachNews{}, proofs: map[string]proofNews{}, admin: c.Controller != nil, login: c.NoController, loginAs: loginText(c)}
	m := &Model{config: c, ctx: ctx, news: n, world: w, stops: make(chan os.Signal, 1), details: &details{world: w}, help: &helpScreen{world: w}}
	m.peers = &peersScreen{world: w, details: m.details}
	m.health, m.denials = &healthScreen{world: w}, &denialsScreen{world: w}
	m.policy, m.nodes, m.keys = &policyScreen{world: w}, &nodesScreen{world: w}, newKeys(w)
	m.screens = [places]screen{m.peers, m.health, m.denials, &logScreen{world: w}, &networksScreen{world: w}, m.policy, m.nodes, m.keys}
	return m
}

// last returns how many places there are: without a login to a controller those that need one are left out.
func (m *Model) last() place {
	if m.world.admin {
		return places
	}
	return placePolicy
}

// Init starts what runs by itself.
func (m *Model) Init() tea.Cmd {
	return tea.Batch(m.await(), again(), tea.RequestBackgroundColor)
}

// await waits for the next news.
func (m *Model) await() tea.Cmd {
	return func() tea.Msg {
		select {
		case n := <-m.news:
			return n
		case <-m.ctx.Done():
			return nil
		}
	}
}

// stop has the program stop until a shell has it go on.
func (m *Model) stop() action {
	if !stoppable() {
		return say{"No shell is there that would have it go on; q quits", true}
	}
	select {
	case m.stops <- nil:
	default: // it is about to
	}
	return nil
}

func again() tea.Cmd { return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tick(t) }) }

// Update takes in a message.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m.same = false
	switch msg := msg.(type) {
	case news:
		if msg.count && msg.err == nil && m.world.known && m.world.away == nil {
			m.later, m.same = &msg, true
		} else {
			m.hear(msg)
		}
		return m, m.await()
	case tick:
		return m, tea.Batch(again(), m.second())
	case outcome:
		return m, m.do(msg.take(m))
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.EnvMsg: // it comes first; a terminal that answers for itself knows better
		m.world.theme = draw.Told(msg.Getenv("COLORFGBG"))
	case tea.BackgroundColorMsg:
		m.world.theme = draw.Light()
		if msg.IsDark() {
			m.world.theme = draw.Dark()
		}
	case tea.KeyPressMsg:
		return m, m.do(m.key(keyName(msg)))
	case tea.PasteMsg:
		return m, m.do(m.paste(msg.Content))
	case tea.MouseClickMsg:
		return m, m.do(m.mouse(msg))
	case tea.MouseWheelMsg:
		return m, m.do(m.wheel(msg.Button))
	}
	return m, nil
}

// hear takes in news of the daemon.
func (m *Model) hear(n news) {
	m.later = nil // it was older
	if m.world.away != nil && n.err == nil {
		m.health.found, m.health.examined = Diagnosis{}, time.Time{} // that was about its silence
	}
	m.world.take(n)
	m.peers.rebuild()
}

// second does what is done each second.
func (m *Model) second() tea.Cmd {
	if m.later != nil {
		m.hear(*m.later)
	}
	m.world.now = m.config.Now()
	if m.noticeUntil.Before(m.world.now) {
		m.notice = say{}
	}
	if m.world.away != nil {
		return m.do(m.health.examine(false))
	}
	return m.do(both{m.nextPing(), m.nextPath(), m.nextReach(), m.nextProof(), m.nextTunnels(), m.world.nextNames(), m.screens[m.at].tick()})
}

// do does an action.
func (m *Model) do(a action) tea.Cmd {
	switch a := a.(type) {
	case nil:
		return nil
	case both:
		cmds := make([]tea.Cmd, len(a))
		for i, one := range a {
			cmds[i] = m.do(one)
		}
		return tea.Batch(cmds...)
	case quit:
		return tea.Quit
	case show:
		return m.goTo(a.at)
	case clip:
		return m.clip(a.text)
	case open:
		return m.open(a)
	case say:
		m.notice, m.noticeUntil = a, m.world.now.Add(noticeFor)
	case ask:
		m.dialog = &dialog{title: a.question, lines: a.lines, then: func(string) action { return a.then }}
	case choose:
		m.dialog = &dialog{title: a.title, choices: a.choices, pick: a.then}
		m.dialog.list = list{at: a.at, rows: len(a.choices), height: mostChoices}
	case request:
		m.dialog = &dialog{title: a.title, lines: a.lines, typed: true, then: a.then}
		m.dialog.line.Set(a.text)
	case work:
		return m.work(a)
	case decision:
		return m.do(a.decide(m))
	}
	return nil
}

// decision is an action that takes the root to say what comes next.
type decision interface{ decide(m *Model) action }

// noticeFor is how long a notice stays.
const noticeFor = 5 * time.Second

// work runs work away from the screen.
func (m *Model) work(w work) tea.Cmd {
	c := m.config // as it is now: another login makes another
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.ctx, patience)
		defer cancel()
		return returned{w.run(ctx, c), c.Controller}
	}
}

func (m *Model) goTo(p place) tea.Cmd {
	if p < 0 || p >= m.last() {
		return nil
	}
	m.at, m.detailed, m.helping = p, false, false
	m.peers.rebuild() // another network may have been chosen
	return m.do(m.screens[p].shown())
}

func (m *Model) clip(text string) tea.Cmd {
	if text == "" {
		return nil
	}
	if m.secret == nil {
		m.do(say{text: "Copied " + text})
	}
	return tea.SetClipboard(text)
}

func (m *Model) open(o open) tea.Cmd {
	if o.id == (peerID{}) {
		m.detailed = false
		m.world.ping.on = false
		return nil
	}
	if m.details.id != o.id {
		m.details.scroll = scroll{}
		m.world.ping.on = false
	}
	m.at, m.detailed, m.details.id, m.pathAsked = placePeers, true, o.id, false
	if o.ping {
		m.world.ping.start(o.id)
	}
	return m.do(both{m.nextPing(), m.nextPath(), m.nextReach(), m.nextProof(), m.nextTunnels()})
}
