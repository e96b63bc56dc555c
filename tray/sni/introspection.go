package sni

import "github.com/godbus/dbus/v5/introspect"

// What hosts that ask (GDBus ones do) learn of the two interfaces.

func in(types ...string) []introspect.Arg { return args("in", types) }

func args(way string, types []string) []introspect.Arg {
	out := make([]introspect.Arg, len(types))
	for i, t := range types {
		out[i] = introspect.Arg{Type: t, Direction: way}
	}
	return out
}

func method(name string, takes []introspect.Arg, gives ...string) introspect.Method {
	return introspect.Method{Name: name, Args: append(takes, args("out", gives)...)}
}

func readable(pairs ...[2]string) []introspect.Property {
	out := make([]introspect.Property, len(pairs))
	for i, p := range pairs {
		out[i] = introspect.Property{Name: p[0], Type: p[1], Access: "read"}
	}
	return out
}

var itemIntrospection = introspect.Interface{
	Name: itemFace,
	Methods: []introspect.Method{
		method("Activate", in("i", "i")), method("SecondaryActivate", in("i", "i")), method("ContextMenu", in("i", "i")), method("Scroll", in("i", "s")),
	},
	Signals: []introspect.Signal{{Name: "NewIcon"}, {Name: "NewTitle"}, {Name: "NewToolTip"}, {Name: "NewStatus", Args: []introspect.Arg{{Type: "s"}}}},
	Properties: readable(
		[2]string{"Category", "s"}, [2]string{"Id", "s"}, [2]string{"Title", "s"}, [2]string{"Status", "s"}, [2]string{"WindowId", "i"},
		[2]string{"IconName", "s"}, [2]string{"IconThemePath", "s"}, [2]string{"IconPixmap", "a(iiay)"},
		[2]string{"OverlayIconName", "s"}, [2]string{"OverlayIconPixmap", "a(iiay)"}, [2]string{"AttentionIconName", "s"},
		[2]string{"AttentionIconPixmap", "a(iiay)"}, [2]string{"AttentionMovieName", "s"},
		[2]string{"ToolTip", "(sa(iiay)ss)"}, [2]string{"ItemIsMenu", "b"}, [2]string{"Menu", "o"},
	),
}

var menuIntrospection = introspect.Interface{
	Name: menuFace,
	Methods: []introspect.Method{
		method("GetLayout", in("i", "i", "as"), "u", "(ia{sv}av)"),
		method("GetGroupProperties", in("ai", "as"), "a(ia{sv})"),
		method("GetProperty", in("i", "s"), "v"),
		method("Event", in("i", "s", "v", "u")),
		method("EventGroup", in("a(isvu)"), "ai"),
		method("AboutToShow", in("i"), "b"),
		method("AboutToShowGroup", in("ai"), "ai", "ai"),
	},
	Signals: []introspect.Signal{
		{Name: "ItemsPropertiesUpdated", Args: []introspect.Arg{{Type: "a(ia{sv})"}, {Type: "a(ias)"}}},
		{Name: "LayoutUpdated", Args: []introspect.Arg{{Type: "u"}, {Type: "i"}}},
	},
	Properties: readable([2]string{"Version", "u"}, [2]string{"Status", "s"}, [2]string{"TextDirection", "s"}, [2]string{"IconThemePath", "as"}),
}
