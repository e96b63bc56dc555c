// Package conf fills a program's flags from its environment and its configuration file, so that a setting is declared once: as a
// flag. The command line wins over the environment, the environment over the file, the file over the default.
package conf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"
)

// FileFlag is the flag that names the configuration file; it is not a setting of the file.
const FileFlag = "config"

// maxFile bounds a configuration file in bytes.
const maxFile = 1 << 20

// Key is a setting's name in the file, Env in the environment.
func Key(flag string) string         { return strings.ReplaceAll(flag, "-", "_") }
func Env(prefix, flag string) string { return prefix + "_" + strings.ToUpper(Key(flag)) }

// Apply sets every flag that the command line left alone from the environment (PREFIX_NAME), else from the TOML file that the
// flag "config" names, else from fallback if that file exists. It reports all problems at once; unknown keys are problems.
func Apply(fs *pflag.FlagSet, prefix, fallback string) error {
	given := map[string]bool{}
	fs.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	var problems []error
	fs.VisitAll(func(f *pflag.Flag) {
		v, ok := os.LookupEnv(Env(prefix, f.Name))
		if !ok || given[f.Name] {
			return
		}
		given[f.Name] = true
		if err := fs.Set(f.Name, v); err != nil {
			problems = append(problems, fmt.Errorf("environment %s: %w", Env(prefix, f.Name), plain(f, err)))
		}
	})
	values, path, err := read(fs, fallback)
	if err != nil {
		return errors.Join(append(problems, err)...)
	}
	return errors.Join(append(problems, fill(fs, values, path, given)...)...)
}

func read(fs *pflag.FlagSet, fallback string) (map[string]any, string, error) {
	path, must := fallback, false
	if f := fs.Lookup(FileFlag); f != nil && f.Value.String() != "" {
		path, must = f.Value.String(), true
	}
	if path == "" {
		return nil, "", nil
	}
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && !must {
		return nil, "", nil
	}
	if err != nil {
		return nil, path, fmt.Errorf("configuration file: %w; name another with --%s", err, FileFlag)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = errors.New("longer than 1 MiB")
	}
	values := map[string]any{}
	if err == nil {
		err = toml.Unmarshal(text, &values)
	}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		row, col := at.Position()
		err = fmt.Errorf("line %d, column %d: %w", row, col, err)
	}
	if err != nil {
		return nil, path, fmt.Errorf("configuration file %s: %w", path, err)
	}
	return values, path, nil
}

func fill(fs *pflag.FlagSet, values map[string]any, path string, given map[string]bool) (problems []error) {
	for _, k := range sorted(values) {
		f := fs.Lookup(strings.ReplaceAll(k, "_", "-"))
		if f == nil || f.Name == FileFlag || strings.Contains(k, "-") {
			problems = append(problems, fmt.Errorf("configuration file %s: no setting is called %q; the settings are %s", path, k, strings.Join(Keys(fs), ", ")))
			continue
		}
		if given[f.Name] {
			continue
		}
		if err := set(fs, f, values[k]); err != nil {
			problems = append(problems, fmt.Errorf("configuration file %s: %s: %w", path, k, plain(f, err)))
		}
	}
	return problems
}

func set(fs *pflag.FlagSet, f *pflag.Flag, v any) error {
	switch v := v.(type) {
	case string, bool, int64, float64:
		return fs.Set(f.Name, fmt.Sprint(v))
	case []any:
		list, ok := f.Value.(pflag.SliceValue)
		if !ok {
			return errors.New("wants one value, not a list")
		}
		var all []string
		for _, e := range v {
			all = append(all, fmt.Sprint(e))
		}
		return list.Replace(all)
	default:
		return fmt.Errorf("wants a %s", f.Value.Type())
	}
}

// plain takes the part off an error that would repeat where the value stood, and what only a programmer would read.
func plain(f *pflag.Flag, err error) error {
	var number *strconv.NumError
	if errors.As(err, &number) {
		return fmt.Errorf("%q is no %s", number.Num, f.Value.Type())
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// Keys lists the settings of the file.
func Keys(fs *pflag.FlagSet) []string {
	var all []string
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Name != FileFlag && f.Name != "help" {
			all = append(all, Key(f.Name))
		}
	})
	return all
}

func sorted(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Reference writes a table of a program's settings in Markdown: what docs/reference/config is generated from.
func Reference(w io.Writer, program, prefix, fallback string, fs *pflag.FlagSet) {
	fmt.Fprintf(w, "# Settings of %s\n\nThe command line wins over the environment, the environment over the file (`--%s`, else `%s` if it exists), the file over the default.\n\n", program, FileFlag, fallback)
	fmt.Fprintf(w, "| flag | environment | file (TOML) | default | meaning |\n|---|---|---|---|---|\n")
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		inFile := "`" + Key(f.Name) + "`"
		if f.Name == FileFlag {
			inFile = ""
		}
		fallback := "`" + f.DefValue + "`"
		if f.DefValue == "" || f.DefValue == "[]" {
			fallback = ""
		}
		fmt.Fprintf(w, "| `--%s` | `%s` | %s | %s | %s |\n", f.Name, Env(prefix, f.Name), inFile, fallback, f.Usage)
	})
}
