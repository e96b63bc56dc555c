package iox

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
)

// Output is the choice of a result's form.
type Output struct {
	JSON     bool
	Template string // text/template over the JSON document
}

// Write writes a result: doc in JSON or through the template, or else what human prints.
func (f Output) Write(o *IO, doc any, human func()) error {
	switch {
	case f.Template != "":
		return o.template(f.Template, doc)
	case f.JSON:
		return o.JSON(doc)
	default:
		human()
		return nil
	}
}

// JSON writes a document, indented.
func (o *IO) JSON(doc any) error {
	e := json.NewEncoder(o.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

// JSONLine writes a document on one line, for streams of them.
func (o *IO) JSONLine(doc any) error {
	e := json.NewEncoder(o.Out)
	e.SetEscapeHTML(false)
	return e.Encode(doc)
}

// template runs a person's template over the document as JSON knows it, so that the names are those of --json.
func (o *IO) template(text string, doc any) error {
	t, err := template.New("template").Option("missingkey=zero").Funcs(template.FuncMap{"join": join, "json": encode}).Parse(text)
	if err != nil {
		return &Error{Exit: Usage, What: "read --template", Why: strings.TrimPrefix(err.Error(), "template: "), Err: err}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	var generic any
	if err := json.Unmarshal(b, &generic); err != nil {
		return err
	}
	var out strings.Builder
	if err := t.Execute(&out, scrub(generic)); err != nil {
		return &Error{Exit: Usage, What: "run --template", Why: strings.TrimPrefix(err.Error(), "template: "), Err: err}
	}
	_, err = fmt.Fprintln(o.Out, out.String())
	return err
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
		for k := range v {
			v[k] = scrub(v[k])
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
