package tui

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// keysScreen is the controller's list of join keys; a new one is made here and shown once.
type keysScreen struct {
	still
	*world
	list     list
	keys     []admin.JoinKey // newest first
	networks []admin.Network
	told     bool
	asked    bool
	fault    error
	order    sorting
}

func newKeys(w *world) *keysScreen {
	return &keysScreen{world: w, order: sorting{column: keyMadeColumn}}
}

func (s *keysScreen) title() string { return "Keys" }
func (s *keysScreen) extent() *list { return &s.list }

func (s *keysScreen) caption() string {
	if !s.told {
		return ""
	}
	return captioned(words.Count(len(s.keys), "join key"), s.loginAs)
}

func (s *keysScreen) shown() action { return s.reload() }

func (s *keysScreen) reload() action {
	if s.asked {
		return nil
	}
	s.asked = true
	return askKeys{}
}

var keyColumns = []draw.Column{
	{Title: "NETWORK", Min: 10, Most: 24, Rank: 2},
	{Title: "STATE", Min: 8, Rank: 1},
	{Title: "ADMITTED", Min: 10, Rank: 3},
	{Title: "EXPIRES", Min: 9, Rank: 4},
	{Title: "OWNER", Min: 12, Most: 40, Rank: 5},
	{Title: "KIND", Min: 8, Most: 20, Rank: 8},
	{Title: "MADE", Min: 8, Rank: 7},
	{Title: "KEY", Min: 12, Most: 28, Rank: 6},
}

func (s *keysScreen) view(width, height int) []string {
	t := s.theme
	switch {
	case s.fault != nil:
		return append(paragraph(t.Bad, cleanText(s.fault.Error()), width), paragraph(t.Dim, cleanText(hint(s.fault)), width)...)
	case !s.told:
		return []string{t.Dim.Paint(cells.Cut("asking the controller …", width))}
	case len(s.keys) == 0:
		return nothing(t, width, "There are no join keys", "n makes one: good for one machine and one hour, unless you say otherwise.")
	}
	s.list.fit(len(s.keys), height-1)
	return rows(t, keyColumns, &s.list, &s.order, width, s.cells)
}

func (s *keysScreen) cells(i int) []cell {
	t, k := s.theme, &s.keys[i]
	state := cell{t.Dim, cleanName(k.State)}
	if k.State == "valid" {
		state.style = t.Good
	}
	uses := strconv.Itoa(k.Used) + " of " + strconv.Itoa(k.Uses)
	if k.Uses == 0 {
		uses = strconv.Itoa(k.Used) + " of any"
	}
	var kinds []string
	if k.Ephemeral {
		kinds = append(kinds, "ephemeral")
	}
	if k.Approve {
		kinds = append(kinds, "approve")
	}
	return []cell{{t.Text, cleanName(k.NetworkName)}, state, {t.Dim, uses}, {t.Dim, words.Until(s.now, k.Expires)}, {t.Dim, whose(k.User, k.Tags)},
		{t.Dim, strings.Join(kinds, " ")}, {t.Dim, words.Ago(s.now, k.Created)}, {t.Dim, k.ID.String()}}
}

func (s *keysScreen) key(name string) action {
	switch name {
	case "n":
		return s.make()
	case "R":
		return s.reload()
	case "o", "O":
		s.order.key(name, len(keyOrders))
		s.sort()
		return nil
	case "x", "delete":
		if s.list.at < len(s.keys) && s.fault == nil {
			k := &s.keys[s.list.at]
			return ask{question: "Revoke the key " + k.ID.String() + " of " + cleanName(k.NetworkName) + "? Nodes that it admitted stay.", then: revokeKey{k.ID.String()}}
		}
		return nil
	}
	s.list.key(name)
	return nil
}

// make asks what the key is for: the network, and what differs from one machine and one hour.
func (s *keysScreen) make() action {
	if !s.told || len(s.networks) == 0 {
		return say{"There is no network to join yet: cvlan admin network create NAME", true}
	}
	text := cleanName(s.networks[0].Name)
	if n := s.world.network(s.only); n != nil {
		text = n.name
	} else if len(s.world.networks) > 0 {
		text = s.world.networks[0].name
	}
	return request{title: "New join key: for which network, how many machines, how long", text: text + " 1 1h", lines: keyWords, then: func(text string) action {
		k, err := parseKey(text)
		if err != nil {
			return say{err.Error(), true}
		}
		return createKey{k}
	}}
}

// keyWords are what else may be typed.
var keyWords = []string{
	"5 7d                for five machines within a week; 0: any number",
	"tag:ci tag:arm      what they are to policy; or whose: alice@example.com",
	"approve             an admin has to let each of them in",
	"ephemeral           they are forgotten when they go",
}

// parseKey reads what was typed: a network, then in any order how many machines, how long, tags and kinds.
func parseKey(text string) (admin.NewJoinKey, error) {
	var k admin.NewJoinKey
	for i, word := range strings.Fields(text) {
		switch n, err := strconv.Atoi(word); {
		case i == 0:
			k.Network = word
		case err == nil && n >= 0:
			k.Uses = &n
		case word == "approve":
			k.Approve = true
		case word == "ephemeral":
			k.Ephemeral = true
		case strings.HasPrefix(word, "tag:"):
			k.Tags = append(k.Tags, word)
		case strings.Contains(word, "@"):
			k.User = word
		default:
			seconds, ok := spanSeconds(word)
			if !ok {
				return k, fmt.Errorf("%q is no number of machines, no time such as 12h or 7d, no tag:NAME, and neither approve nor ephemeral", word)
			}
			k.TTLSeconds = &seconds
		}
	}
	if k.Network == "" {
		return k, fmt.Errorf("a key is for a network: type its name first")
	}
	return k, nil
}

func spanSeconds(word string) (int64, bool) {
	if len(word) < 2 {
		return 0, false
	}
	unit := map[byte]int64{'m': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}[word[len(word)-1]]
	n, err := strconv.ParseInt(word[:len(word)-1], 10, 32)
	return n * unit, err == nil && unit > 0 && n > 0
}

func (s *keysScreen) click(x, y int) action {
	if y == 0 {
		s.order.click(x)
		s.sort()
	}
	if row, ok := s.list.click(y - 1); ok {
		s.list.to(row)
	}
	return nil
}

func (s *keysScreen) wheel(by int) action {
	s.list.wheel(by)
	return nil
}

func (s *keysScreen) hints() []hintText {
	h := []hintText{{"n", "new key"}, {"x", "revoke"}, {"R", "ask again"}}
	if len(s.keys) == 0 {
		h = slices.Delete(h, 1, 2)
	}
	return h
}

// keyMadeColumn is the one by which the keys are sorted at first: when they were made.
const keyMadeColumn = 6

// keyOrders are what the columns sort by.
var keyOrders = []func(a, b *admin.JoinKey) int{
	func(a, b *admin.JoinKey) int { return strings.Compare(a.NetworkName, b.NetworkName) },
	func(a, b *admin.JoinKey) int { return strings.Compare(b.State, a.State) }, // valid ones first
	func(a, b *admin.JoinKey) int { return cmp.Compare(b.Used, a.Used) },
	func(a, b *admin.JoinKey) int { return a.Expires.Compare(b.Expires) },
	func(a, b *admin.JoinKey) int { return strings.Compare(whose(a.User, a.Tags), whose(b.User, b.Tags)) },
	func(a, b *admin.JoinKey) int {
		return cmp.Or(compareBool(b.Ephemeral, a.Ephemeral), compareBool(b.Approve, a.Approve))
	},
	keyMadeColumn: func(a, b *admin.JoinKey) int { return 0 }, // the newest first, which is the order of equal ones too
	func(a, b *admin.JoinKey) int { return cmp.Compare(a.ID, b.ID) },
}

// sort sorts the keys anew; the cursor stays on the key that it was on.
func (s *keysScreen) sort() {
	here := s.here()
	s.arrange()
	s.find(here)
}

func (s *keysScreen) arrange() {
	slices.SortStableFunc(s.keys, func(a, b admin.JoinKey) int {
		return s.order.turned(cmp.Or(keyOrders[s.order.column](&a, &b), b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID)))
	})
}

// here is the key under the cursor; 0: there is none.
func (s *keysScreen) here() ident.JoinKey {
	if s.list.at < len(s.keys) {
		return s.keys[s.list.at].ID
	}
	return 0
}

// find puts the cursor on a key, if it is there.
func (s *keysScreen) find(id ident.JoinKey) {
	if i := slices.IndexFunc(s.keys, func(k admin.JoinKey) bool { return k.ID == id }); i >= 0 {
		s.list.at = i
	}
}

type askKeys struct{}

func (askKeys) run(ctx context.Context, c *Config) outcome {
	k, err := c.Controller.Keys(ctx)
	var n []admin.Network
	if err == nil {
		n, err = c.Controller.Networks(ctx)
	}
	return keysTold{theirs{}, k, n, err}
}

type keysTold struct {
	theirs
	keys     []admin.JoinKey
	networks []admin.Network
	err      error
}

func (t keysTold) take(m *Model) action {
	s := m.keys
	s.asked, s.fault = false, t.err
	if t.err == nil {
		here := s.here()
		s.told, s.networks, s.keys = true, t.networks, t.keys
		s.arrange()
		s.find(here)
	}
	return nil
}

type revokeKey struct{ id string }

func (r revokeKey) run(ctx context.Context, c *Config) outcome {
	return done{"revoke the key", "the key is revoked", c.Controller.RevokeKey(ctx, r.id), reloadKeys{}}
}

type reloadKeys struct{}

func (reloadKeys) decide(m *Model) action { return m.keys.reload() }

type createKey struct{ want admin.NewJoinKey }

func (k createKey) run(ctx context.Context, c *Config) outcome {
	made, err := c.Controller.CreateKey(ctx, k.want)
	return keyMade{theirs{}, made, err}
}

type keyMade struct {
	theirs
	key admin.CreatedJoinKey
	err error
}

func (k keyMade) take(m *Model) action {
	if k.err != nil {
		return oops("make a join key", k.err)
	}
	m.secret = newSecret(m.config, m.world, k.key)
	return m.keys.reload()
}
