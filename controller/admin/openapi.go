package admin

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// tidy finishes the document. Requests stay strict, so that a mistyped field is noticed; answers are declared open, because a
// later version may add fields.
func tidy(doc *huma.OpenAPI) {
	all := doc.Components.Schemas.Map()
	delete(all, "ErrorModel") // what the framework would answer; see transform
	delete(all, "ErrorDetail")
	asked := map[string]bool{}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil && op.RequestBody != nil {
				for _, media := range op.RequestBody.Content {
					reach(all, media.Schema, asked)
				}
			}
		}
	}
	for name, s := range all {
		if !asked[name] {
			s.AdditionalProperties = nil
		}
	}
}

// reach marks every named schema that s consists of.
func reach(all map[string]*huma.Schema, s *huma.Schema, seen map[string]bool) {
	if s == nil {
		return
	}
	if name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]; name != "" && !seen[name] {
		seen[name] = true
		reach(all, all[name], seen)
	}
	reach(all, s.Items, seen)
	for _, p := range s.Properties {
		reach(all, p, seen)
	}
}
