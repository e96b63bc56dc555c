package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
)

// word is a target of an event that is named, not numbered.
type word string

func (w word) String() string { return string(w) }

// CreateUser implements store.Handle.
func (h handle) CreateUser(ctx context.Context, actor string, u store.User) (store.User, error) {
	return h.putUser(ctx, u, func(w *work, u *store.User) error {
		switch _, err := w.user(u.Login, 0); {
		case err == nil:
			return fmt.Errorf("user %s: %w", u.Login, store.ErrExists)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		return w.createUser(actor, u)
	})
}

// PutUser implements store.Handle.
func (h handle) PutUser(ctx context.Context, actor string, u store.User, ifVersion uint64) (store.User, error) {
	return h.putUser(ctx, u, func(w *work, u *store.User) error {
		was, err := w.user(u.Login, ifVersion)
		if errors.Is(err, store.ErrNotFound) && ifVersion == 0 {
			return w.createUser(actor, u)
		}
		if err != nil {
			return err
		}
		return w.changeUser(actor, was, u)
	})
}

func (h handle) putUser(ctx context.Context, u store.User, put func(*work, *store.User) error) (store.User, error) {
	if h.tenant == store.Provider {
		return u, fmt.Errorf("user %s: %w: it needs a tenant", clean.Line(u.Login, 80), store.ErrInvalid)
	}
	u, err := store.NewUser(u)
	if err != nil {
		return u, err
	}
	err = h.write(ctx, func(w *work) error { return put(w, &u) })
	return u, err
}

func (w *work) createUser(actor string, u *store.User) error {
	h, err := w.headOf(w.tenant)
	if err != nil {
		return err
	}
	if h.users >= store.MaxUsers {
		return fmt.Errorf("user %s: %w: the tenant has %d", u.Login, store.ErrLimit, h.users)
	}
	h.users++
	u.Created = w.now
	if _, err := w.audit(actor, "user.create", word(u.Login), slog.String("role", u.Role.String()), slog.Any("groups", u.Groups)); err != nil {
		return err
	}
	if err := w.writeUser(u); err != nil {
		return err
	}
	return w.move(u.Login, nil, u.Groups)
}

// changeUser writes what u has and was has not.
func (w *work) changeUser(actor string, was store.User, u *store.User) error {
	u.Created, u.Version = was.Created, was.Version
	if u.Role == was.Role && slices.Equal(u.Groups, was.Groups) {
		return nil
	}
	if _, err := w.audit(actor, "user.change", word(u.Login), slog.String("from", was.Role.String()), slog.String("role", u.Role.String()), slog.Any("groups", u.Groups)); err != nil {
		return err
	}
	if err := w.move(u.Login, was.Groups, u.Groups); err != nil {
		return err
	}
	return w.writeUser(u)
}

// writeUser gives a user its next version and tells of it.
func (w *work) writeUser(u *store.User) (err error) {
	if u.Version, err = w.version(); err != nil {
		return err
	}
	told := *u
	w.tell(u.Version, store.Change{User: &told})
	return w.exec(putUser, u.Login, u.Role.String(), micro(u.Created), int64(u.Version))
}

// move takes a user out of some groups and into others. Both lists are sorted.
func (w *work) move(login string, from, to []string) error {
	for _, g := range from {
		if _, stays := slices.BinarySearch(to, g); stays {
			continue
		}
		if err := w.leaveGroup(login, g); err != nil {
			return err
		}
	}
	for _, g := range to {
		if _, was := slices.BinarySearch(from, g); was {
			continue
		}
		if err := w.joinGroup(login, g); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) joinGroup(login, group string) error {
	switch n, err := w.change(growGroup, group, 1); {
	case err != nil:
		return err
	case n == 0:
		return fmt.Errorf("group %q: %w; create it first", group, store.ErrNoGroup)
	}
	return w.exec(insertMember, login, group)
}

func (w *work) leaveGroup(login, group string) error {
	return errors.Join(w.exec(deleteMember, login, group), w.exec(growGroup, group, -1))
}

// DeleteUser implements store.Handle.
func (h handle) DeleteUser(ctx context.Context, actor, login string, force bool, ifVersion uint64) (l store.Leaver, err error) {
	if login, err = store.ParseLogin(login); err != nil {
		return l, err
	}
	err = h.write(ctx, func(w *work) error {
		u, err := w.user(login, ifVersion)
		if err != nil {
			return err
		}
		l, err = w.deleteUser(actor, u, force)
		return err
	})
	return l, err
}

func (w *work) deleteUser(actor string, u store.User, force bool) (l store.Leaver, err error) {
	nodes, err := allOwn(w, scanNode, selectNodesOwned, u.Login)
	if err != nil {
		return l, err
	}
	keys, err := allOwn(w, scanJoinKey, selectUsersKeys, u.Login)
	if err != nil {
		return l, err
	}
	for _, n := range nodes {
		if len(n.Tags) == 0 {
			l.Nodes++
		}
	}
	acting, err := w.change(revokeAPIKeysOf, u.Login, micro(w.now))
	if err != nil {
		return l, err
	}
	l.Orphans, l.Keys = len(nodes)-l.Nodes, len(keys)+int(acting)
	if l.Nodes > 0 && !force {
		return store.Leaver{}, fmt.Errorf("user %s: %w: nodes without tags belong to it (%d); delete them first, or with the user, by --force", u.Login, store.ErrConflict, l.Nodes)
	}
	_, err = w.audit(actor, "user.delete", word(u.Login), slog.Int("nodes", l.Nodes), slog.Int("orphans", l.Orphans), slog.Int("keys", l.Keys))
	if err != nil {
		return l, err
	}
	if err := w.strip(actor, ordered(nodes, byBirth), keys); err != nil {
		return l, err
	}
	if err := w.move(u.Login, u.Groups, nil); err != nil {
		return l, err
	}
	version, err := w.version()
	if err != nil {
		return l, err
	}
	h, err := w.headOf(w.tenant)
	if err != nil {
		return l, err
	}
	h.users--
	w.tell(version, store.Change{UserGone: u.Login})
	return l, w.exec(deleteUser, u.Login)
}

// strip takes from a user what it owns.
func (w *work) strip(actor string, nodes []store.Node, keys []store.JoinKey) error {
	for _, k := range keys {
		if err := w.revokeJoinKey(actor, k.ID); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		disown := w.deleteNode
		if len(n.Tags) > 0 {
			disown = w.disown
		}
		if err := disown(actor, n); err != nil {
			return err
		}
	}
	return nil
}

// disown makes a node nobody's.
func (w *work) disown(actor string, n store.Node) (err error) {
	if _, err := w.audit(actor, "node.disown", n.ID, slog.String("name", n.Name), slog.String("user", n.User)); err != nil {
		return err
	}
	n.User = ""
	if n.Version, err = w.version(); err != nil {
		return err
	}
	w.tell(n.Version, store.Change{Node: &n})
	return w.exec(disownNode, int64(n.ID), int64(n.Version))
}

// user reads one to be changed.
func (w *work) user(login string, ifVersion uint64) (store.User, error) {
	u, err := own(w, scanUser, selectUser, login)
	if err != nil {
		return u, noUser(err, login)
	}
	return u, store.Current("user", word(login), ifVersion, u.Version)
}

func noUser(err error, login string) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("user %s: %w", login, store.ErrNoUser)
	}
	return err
}

// Users implements store.Handle.
func (h handle) Users(ctx context.Context, after string, limit int) ([]store.User, error) {
	return readAll(ctx, h, scanUser, selectUsers, after, max(limit, 0))
}

// User implements store.Handle.
func (h handle) User(ctx context.Context, login string) (store.User, error) {
	login, err := store.ParseLogin(login)
	if err != nil {
		return store.User{}, err
	}
	u, err := read(ctx, h, scanUser, selectUser, login)
	return u, noUser(err, login)
}

// allUsers returns the tenant's users in the order of versions. Asking for each one's groups would cost several times as much.
func (h handle) allUsers(ctx context.Context, q queryer) ([]store.User, error) {
	users, err := list(ctx, q, scanUser, selectAllUsers, h.args(nil)...)
	if err != nil {
		return nil, err
	}
	members, err := list(ctx, q, scanMember, selectAllMembers, h.args(nil)...)
	if err != nil {
		return nil, err
	}
	join(users, members)
	slices.SortFunc(users, func(a, b store.User) int { return cmp.Compare(a.Version, b.Version) })
	return users, nil
}

// join gives users their groups. Both lists are in the order of logins.
func join(users []store.User, members []member) {
	at := 0
	for _, m := range members {
		for at < len(users) && users[at].Login < m.login {
			at++
		}
		if at < len(users) && users[at].Login == m.login {
			users[at].Groups = append(users[at].Groups, m.group)
		}
	}
}

// member is a user's place in a group.
type member struct{ login, group string }

func scanMember(rows *sql.Rows) (m member, err error) {
	err = rows.Scan(&m.login, &m.group)
	return m, err
}

func scanUser(rows *sql.Rows) (u store.User, err error) {
	var role, groups string
	var created int64
	if err := rows.Scan(&u.Login, &role, &created, &u.Version, &groups); err != nil {
		return u, err
	}
	u.Created = instant(created)
	if u.Role, err = store.ParseRole(role); err != nil {
		return u, fmt.Errorf("user %s: %w", u.Login, err)
	}
	if groups == "[]" {
		return u, nil
	}
	if err := json.Unmarshal([]byte(groups), &u.Groups); err != nil {
		return u, fmt.Errorf("user %s: its groups: %w", u.Login, err)
	}
	slices.Sort(u.Groups)
	return u, nil
}
