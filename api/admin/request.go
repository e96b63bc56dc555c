package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// request is what an In amounts to.
type request struct {
	path   string
	query  url.Values
	header http.Header
	body   []byte // nil: none
}

// encode reads the fields of in by their tags: the same that the server reads them by.
func encode(r Route, in any) (request, error) {
	q := request{path: r.Path, query: url.Values{}, header: http.Header{}}
	if err := q.fields(reflect.ValueOf(in)); err != nil {
		return q, fmt.Errorf("%s: %w", r.ID, err)
	}
	if at := strings.IndexByte(q.path, '{'); at >= 0 {
		return q, fmt.Errorf("%s: nothing given for %s of the path", r.ID, q.path[at:])
	}
	return q, nil
}

func (q *request) fields(v reflect.Value) error {
	for i := range v.NumField() {
		f, value := v.Type().Field(i), v.Field(i)
		switch {
		case f.Anonymous:
			if err := q.fields(value); err != nil {
				return err
			}
		case f.Name == "Body":
			b, err := json.Marshal(value.Interface())
			if err != nil {
				return fmt.Errorf("encode the body: %w", err)
			}
			q.body = b
		case value.IsZero():
		case f.Tag.Get("path") != "":
			q.path = strings.Replace(q.path, "{"+f.Tag.Get("path")+"}", url.PathEscape(text(value)), 1)
		case f.Tag.Get("query") != "":
			q.query.Set(f.Tag.Get("query"), text(value))
		case f.Tag.Get("header") != "":
			q.header.Set(f.Tag.Get("header"), text(value))
		}
	}
	return nil
}

// text writes a parameter; parameters are strings, whole numbers and booleans.
func text(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	default:
		return v.String()
	}
}

// decode fills out, a pointer to an Out, from an answer's headers and body.
func decode(out any, header http.Header, body []byte) error {
	v := reflect.ValueOf(out).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch name := f.Tag.Get("header"); {
		case f.Name == "Body":
			if err := json.NewDecoder(bytes.NewReader(body)).Decode(v.Field(i).Addr().Interface()); err != nil {
				return fmt.Errorf("decode the answer: %w", err)
			}
		case name != "":
			v.Field(i).SetString(header.Get(name))
		}
	}
	return nil
}
