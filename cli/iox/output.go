package iox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/cvlan/cvlan/internal/base/clean"
)

// Output is the choice of a result's form.
type Output struct {
	JSON     bool
	Template string // text/template over the JSON document
	Quiet    bool   // Brief alone
	Brief    string // where in the JSON document the names are that a script goes on with, such as nodes.id; "": there are none
}

// ForScripts reports whether a program reads the result, and nothing may stand beside it.
func (f Output) ForScripts() bool { return f.JSON || f.Template != "" || f.Quiet }

// Write writes a result: doc in JSON, through the template or in brief, or else what human prints.
func (f Output) Write(o *IO, doc any, human func()) error {
	switch {
	case f.Template != "":
		return o.template(f.Template, doc)
	case f.Quiet:
		return o.brief(f.Brief, doc)
	case f.JSON:
		return o.JSON(doc)
	default:
		human()
		return nil
	}
}

// JSON writes a document, indented.
func (o *IO) JSON(doc any) error { return o.json(doc, "  ") }

// JSONLine writes a document on one line, for streams of them.
func (o *IO) JSONLine(doc any) error { return o.json(doc, "") }

func (o *IO) json(doc any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(doc); err != nil {
		return err
	}
	_, err := o.Out.Write(clean.JSON(b.Bytes()))
	return err
}

// template runs a person's template over the document as JSON knows it, so that the names are those of --json.
func (o *IO) template(text string, doc any) error {
	t, err := template.New("template").Option("missingkey=zero").Funcs(template.FuncMap{"join": join, "json": encode}).Parse(text)
	if err != nil {
		return badTemplate("read", err)
	}
	generic, err := asJSON(doc)
	if err != nil {
		return err
	}
	var out strings.Builder
	if err := t.Execute(&out, scrub(generic)); err != nil {
		return badTemplate("run", err)
	}
	_, err = fmt.Fprintln(o.Out, out.String())
	return err
}

// badTemplate is the error of a template that a person has written.
func badTemplate(verb string, err error) error {
	why := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "template: "), "template:")
	why = strings.Replace(why, `executing "template" at `, "at ", 1)
	return &Error{Exit: Usage, What: verb + " --template", Why: why, Err: err, Hint: "it is a Go template, and its names are those that --json prints"}
}

// asJSON returns the document as JSON knows it. What is shown of it is to be scrubbed.
func asJSON(doc any) (any, error) {
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	var generic any
	err = json.Unmarshal(b, &generic)
	return generic, err
}

// brief writes every value at a path of the document, one a line. What is absent or empty is left out.
func (o *IO) brief(path string, doc any) error {
	generic, err := asJSON(doc)
	if err != nil {
		return err
	}
	var b strings.Builder
	pick(&b, generic, strings.Split(path, "."))
	_, err = io.WriteString(o.Out, b.String())
	return err
}

// pick follows a path through objects, and into every item of the lists on the way.
func pick(b *strings.Builder, v any, path []string) {
	switch v := v.(type) {
	case nil:
	case []any:
		for _, item := range v {
			pick(b, item, path)
		}
	case map[string]any:
		if len(path) > 0 {
			pick(b, v[path[0]], path[1:])
		}
	default:
		if text := fmt.Sprint(scrub(v)); len(path) == 0 && text != "" {
			b.WriteString(text + "\n")
		}
	}
}

// exact is the largest number up to which JSON's numbers tell all whole ones apart.
const exact = 1 << 53

// scrub cleans every string of a document and makes whole numbers print as such.
func scrub(v any) any {
	switch v := v.(type) {
	case float64:
		if n := int64(v); float64(n) == v && n > -exact && n < exact {
			return n
		}
	case string:
		return Clean(v)
	case []any:
		for i := range v {
			v[i] = scrub(v[i])
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			field := scrub(v[k])
			delete(v, k)
			v[Clean(k)] = field
		}
	}
	return v
}

func join(list []any, by string) string {
	var s []string
	for _, v := range list {
		s = append(s, fmt.Sprint(v))
	}
	return strings.Join(s, by)
}

func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}
