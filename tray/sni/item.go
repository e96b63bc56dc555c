package sni

import (
	"errors"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"

	"github.com/cvlan/cvlan/tray/icon"
	"github.com/cvlan/cvlan/tray/menu"
)

// pixmap is (iiay): an icon in one size.
type pixmap struct {
	W, H int32
	ARGB []byte
}

func pixmaps(s menu.Stand) []pixmap {
	out := make([]pixmap, len(icon.Sizes))
	for i, n := range icon.Sizes {
		out[i] = pixmap{int32(n), int32(n), icon.ARGB(icon.Draw(s, n))}
	}
	return out
}

// tooltip is (sa(iiay)ss).
type tooltip struct {
	Icon  string
	Pix   []pixmap
	Title string
	Text  string
}

// itemObject is org.kde.StatusNotifierItem. A host that knows ItemIsMenu opens the menu at every click and calls none of its methods.
type itemObject struct{ p *Panel }

// Activate is a click of a host that keeps the menu for another button.
func (o itemObject) Activate(_, _ int32) *dbus.Error {
	o.p.post(menu.Action{Verb: menu.Terminal})
	return nil
}

// SecondaryActivate is a click with the middle button, which means nothing.
func (o itemObject) SecondaryActivate(_, _ int32) *dbus.Error { return nil }

// ContextMenu would show a menu of our own, for hosts that show none.
func (o itemObject) ContextMenu(_, _ int32) *dbus.Error { return nil }

// Scroll is the wheel, which means nothing.
func (o itemObject) Scroll(int32, string) *dbus.Error { return nil }

// propsObject is org.freedesktop.DBus.Properties of one path.
type propsObject struct {
	face string
	all  func() map[string]dbus.Variant
}

var (
	errNoProperty = dbus.MakeFailedError(errors.New("there is no such property"))
	errReadOnly   = dbus.MakeFailedError(errors.New("nothing here can be set"))
)

// Get returns one property.
func (o propsObject) Get(face, name string) (dbus.Variant, *dbus.Error) {
	if v, ok := o.all()[name]; ok && face == o.face {
		return v, nil
	}
	return dbus.MakeVariant(""), errNoProperty
}

// GetAll returns all of them.
func (o propsObject) GetAll(face string) (map[string]dbus.Variant, *dbus.Error) {
	if face != o.face {
		return map[string]dbus.Variant{}, nil
	}
	return o.all(), nil
}

// Set refuses.
func (o propsObject) Set(string, string, dbus.Variant) *dbus.Error { return errReadOnly }

func (p *Panel) itemProps() map[string]dbus.Variant {
	p.mu.Lock()
	pic := p.picture
	p.mu.Unlock()
	return map[string]dbus.Variant{
		"Category":            dbus.MakeVariant("Communications"),
		"Id":                  dbus.MakeVariant("cvlan-tray"),
		"Title":               dbus.MakeVariant("CloudVLAN"),
		"Status":              dbus.MakeVariant("Active"),
		"WindowId":            dbus.MakeVariant(int32(0)),
		"IconName":            dbus.MakeVariant(""),
		"IconThemePath":       dbus.MakeVariant(""),
		"IconPixmap":          dbus.MakeVariant(pixmaps(pic.Stand)),
		"OverlayIconName":     dbus.MakeVariant(""),
		"OverlayIconPixmap":   dbus.MakeVariant([]pixmap{}),
		"AttentionIconName":   dbus.MakeVariant(""),
		"AttentionIconPixmap": dbus.MakeVariant([]pixmap{}),
		"AttentionMovieName":  dbus.MakeVariant(""),
		"ToolTip":             dbus.MakeVariant(tooltip{Pix: []pixmap{}, Title: markup(pic.Title), Text: markup(pic.Detail)}),
		"ItemIsMenu":          dbus.MakeVariant(true),
		"Menu":                dbus.MakeVariant(menuPath),
	}
}

func (p *Panel) menuProps() map[string]dbus.Variant {
	return map[string]dbus.Variant{
		"Version":       dbus.MakeVariant(uint32(3)),
		"Status":        dbus.MakeVariant("normal"),
		"TextDirection": dbus.MakeVariant("ltr"),
		"IconThemePath": dbus.MakeVariant([]string{}),
	}
}

// export offers both objects.
func (p *Panel) export() error {
	item := introspect.Node{Name: string(itemPath), Interfaces: []introspect.Interface{introspect.IntrospectData, itemIntrospection}}
	tree := introspect.Node{Name: string(menuPath), Interfaces: []introspect.Interface{introspect.IntrospectData, menuIntrospection}}
	for _, o := range []struct {
		what any
		path dbus.ObjectPath
		face string
	}{
		{itemObject{p}, itemPath, itemFace},
		{propsObject{itemFace, p.itemProps}, itemPath, properties},
		{introspect.NewIntrospectable(&item), itemPath, "org.freedesktop.DBus.Introspectable"},
		{menuObject{p}, menuPath, menuFace},
		{propsObject{menuFace, p.menuProps}, menuPath, properties},
		{introspect.NewIntrospectable(&tree), menuPath, "org.freedesktop.DBus.Introspectable"},
	} {
		if err := p.conn.Export(o.what, o.path, o.face); err != nil {
			return err
		}
	}
	return nil
}
