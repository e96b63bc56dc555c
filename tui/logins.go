package tui

import (
	"context"
	"slices"
)

// Login is one to a controller that this person has stored, a profile.
type Login struct{ Name, Controller, Tenant string }

// pickLogin offers the logins that are stored.
type pickLogin struct{}

func (pickLogin) decide(m *Model) action {
	all := m.config.Logins
	if len(all) == 0 {
		return say{m.world.login, true}
	}
	names := make([]string, len(all))
	for i, l := range all {
		names[i] = cleanName(l.Name)
	}
	names = aligned(names)
	for i, l := range all {
		names[i] += cleanName(l.Controller)
		if l.Tenant != "" {
			names[i] += "   tenant " + cleanName(l.Tenant)
		}
	}
	at := slices.IndexFunc(all, func(l Login) bool { return l.Name == m.config.Login })
	return choose{"Which login to a controller?", names, max(at, 0), func(i int) action { return takeLogin{all[i]} }}
}

// takeLogin goes on with another login. What is still under way for the one before comes to nothing.
type takeLogin struct{ login Login }

func (t takeLogin) run(_ context.Context, c *Config) outcome {
	other, err := c.LogIn(t.login.Name)
	return loggedIn{t.login, other, err}
}

type loggedIn struct {
	login Login
	to    Controller
	err   error
}

func (t loggedIn) take(m *Model) action {
	if t.err != nil {
		return oops("use the login "+cleanName(t.login.Name), t.err)
	}
	other := *m.config // work that is under way keeps the one that it has
	other.Controller, other.Login = t.to, t.login.Name
	m.config = &other
	w := m.world
	w.admin, w.loginAs, w.proofs, m.proofAsked = true, loginText(&other), map[string]proofNews{}, false
	m.policy, m.nodes, m.keys = &policyScreen{world: w}, &nodesScreen{world: w}, newKeys(w)
	m.screens[placePolicy], m.screens[placeNodes], m.screens[placeKeys] = m.policy, m.nodes, m.keys
	at := m.at
	if at < placePolicy {
		at = placeNodes
	}
	return both{say{text: "Now as " + cleanName(t.login.Name)}, show{at}}
}

// loginText says where the person is logged in; "" if there is but one login, which goes without saying.
func loginText(c *Config) string {
	i := slices.IndexFunc(c.Logins, func(l Login) bool { return l.Name == c.Login })
	if i < 0 || len(c.Logins) < 2 {
		return ""
	}
	text := "login " + cleanName(c.Login) + ", " + cleanName(c.Logins[i].Controller)
	if c.Logins[i].Tenant != "" {
		text += ", tenant " + cleanName(c.Logins[i].Tenant)
	}
	return text
}
