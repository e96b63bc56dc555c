package machine

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// This returns what runs here.
func This() System {
	v := windows.RtlGetVersion()
	return System{Version: fmt.Sprintf("%d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber)}
}
