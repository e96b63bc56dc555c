package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
)

// CreateGroup implements store.Handle.
func (h handle) CreateGroup(ctx context.Context, actor, name string) (g store.Group, err error) {
	if err := store.CheckGroup(name); err != nil {
		return g, err
	}
	if h.tenant == store.Provider {
		return g, fmt.Errorf("group %q: %w: it needs a tenant", name, store.ErrInvalid)
	}
	err = h.write(ctx, func(w *work) error {
		switch _, err := w.group(name); {
		case err == nil:
			return fmt.Errorf("group %q: %w", name, store.ErrExists)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		if n, err := own(w, value[int], countGroups); err != nil {
			return err
		} else if n >= store.MaxGroups {
			return fmt.Errorf("group %q: %w: the tenant has %d", name, store.ErrLimit, n)
		}
		born, err := w.audit(actor, "group.create", word(name))
		if err != nil {
			return err
		}
		g = store.Group{Name: name, Created: w.now}
		return w.exec(insertGroup, name, micro(w.now), int64(born))
	})
	return g, err
}

// DeleteGroup implements store.Handle.
func (h handle) DeleteGroup(ctx context.Context, actor, name string) error {
	return h.write(ctx, func(w *work) error {
		g, err := w.group(name)
		if err != nil {
			return err
		}
		if _, err := w.audit(actor, "group.delete", word(name), slog.Int("members", g.Members)); err != nil {
			return err
		}
		if err := w.disband(name); err != nil {
			return err
		}
		return w.exec(deleteGroup, name)
	})
}

// disband takes all members out of a group, which may be a hundred thousand.
func (w *work) disband(group string) error {
	users, err := allOwn(w, scanUser, selectUsersIn, group)
	if err != nil {
		return err
	}
	members, err := allOwn(w, scanMember, selectGroupsOfIn, group)
	if err != nil {
		return err
	}
	join(users, slices.DeleteFunc(members, func(m member) bool { return m.group == group }))
	head, err := w.headOf(w.tenant)
	if err != nil {
		return err
	}
	if err := w.exec(renewUsersIn, group, int64(head.hard)); err != nil {
		return err
	}
	for i := range users {
		if users[i].Version, err = w.version(); err != nil {
			return err
		}
		w.tell(users[i].Version, store.Change{User: &users[i]})
	}
	return w.exec(emptyGroup, group)
}

// ChangeMembers implements store.Handle.
func (h handle) ChangeMembers(ctx context.Context, actor, group string, add, remove []string) (g store.Group, err error) {
	add, err = logins(add)
	if err == nil {
		remove, err = logins(remove)
	}
	if err != nil {
		return g, err
	}
	err = h.write(ctx, func(w *work) error {
		if _, err := w.group(group); err != nil {
			return err
		}
		if err := w.regroupAll(actor, "group.remove", group, remove, false); err != nil {
			return err
		}
		if err := w.regroupAll(actor, "group.add", group, add, true); err != nil {
			return err
		}
		g, err = w.group(group)
		return err
	})
	return g, err
}

func logins(given []string) ([]string, error) {
	all := make([]string, len(given))
	for i, l := range given {
		var err error
		if all[i], err = store.ParseLogin(l); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (w *work) regroupAll(actor, action, group string, logins []string, in bool) error {
	var moved []string
	for _, login := range logins {
		changed, err := w.regroup(login, group, in)
		if err != nil {
			return err
		}
		if changed {
			moved = append(moved, login)
		}
	}
	if len(moved) == 0 {
		return nil
	}
	_, err := w.audit(actor, action, word(group), slog.Int("count", len(moved)), slog.Any("users", moved))
	return err
}

// regroup puts a user into a group, or takes it out, and reports whether that changed anything.
func (w *work) regroup(login, group string, in bool) (changed bool, err error) {
	u, err := w.user(login, 0)
	if err != nil {
		return false, err
	}
	at, is := slices.BinarySearch(u.Groups, group)
	switch {
	case is == in:
		return false, nil
	case in && len(u.Groups) >= store.MaxUserGroups:
		return false, fmt.Errorf("user %s: %w: in %d groups already", login, store.ErrLimit, len(u.Groups))
	case in:
		u.Groups = slices.Insert(u.Groups, at, group)
		err = w.joinGroup(login, group)
	default:
		u.Groups = slices.Delete(u.Groups, at, at+1)
		err = w.leaveGroup(login, group)
	}
	if err != nil {
		return false, err
	}
	if len(u.Groups) == 0 {
		u.Groups = nil
	}
	return true, w.writeUser(&u)
}

// group reads one to be changed.
func (w *work) group(name string) (store.Group, error) {
	g, err := own(w, scanGroup, selectGroup, name)
	return g, noGroup(err, name)
}

func noGroup(err error, name string) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("group %q: %w", clean.Line(name, 80), store.ErrNoGroup)
	}
	return err
}

// Groups implements store.Handle.
func (h handle) Groups(ctx context.Context, after string, limit int) ([]store.Group, error) {
	return readAll(ctx, h, scanGroup, selectGroups, after, max(limit, 0))
}

// Group implements store.Handle.
func (h handle) Group(ctx context.Context, name string) (store.Group, error) {
	g, err := read(ctx, h, scanGroup, selectGroup, name)
	return g, noGroup(err, name)
}

// Members implements store.Handle.
func (h handle) Members(ctx context.Context, group, after string, limit int) ([]string, error) {
	if _, err := h.Group(ctx, group); err != nil {
		return nil, err
	}
	return readAll(ctx, h, value[string], selectMembers, group, after, max(limit, 0))
}

func scanGroup(rows *sql.Rows) (g store.Group, err error) {
	var created int64
	err = rows.Scan(&g.Name, &g.Members, &created)
	g.Created = instant(created)
	return g, err
}
