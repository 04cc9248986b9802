package pgsql

import (
	"testing"

	"dragoman.dev/dragoman/internal/action"
)

// TestOneSetting: which setting a call of set_config changes is known where a constant says it, and where the query is about one
// line of the server's own list; anything else may be any setting.
func TestOneSetting(t *testing.T) {
	for text, want := range map[string]string{
		"select set_config('Work_Mem', '1', false)": "work_mem",
		"select set_config(name, 'view, foreign-table', false) from pg_settings where name = 'restrict_nonsystem_relation_kind'":           "restrict_nonsystem_relation_kind",
		"select set_config(name, 'x', false) from pg_catalog.pg_settings where name = 'ROLE'":                                              "role",
		"select set_config(name, 'x', false) from pg_settings where name = 'a' and true":                                                   "expression",
		"select set_config(name, 'x', false) from pg_settings where name = 'a' or name = 'role'":                                           "expression",
		"select set_config(name, 'x', false) from pg_settings where name <> 'a'":                                                           "expression",
		"select set_config(name, 'x', false) from pg_settings where name operator(public.=) 'a'":                                           "expression",
		"select set_config(name, 'x', false) from pg_settings where setting = 'a'":                                                         "expression",
		"select set_config(setting, 'x', false) from pg_settings where name = 'a'":                                                         "expression",
		"select set_config(lower(name), 'x', false) from pg_settings where name = 'a'":                                                     "expression",
		"select set_config(name, 'x', false) from pg_settings as pg_settings(setting, name) where name = 'a'":                              "expression",
		"select set_config(name, 'x', false) from pg_settings":                                                                             "expression",
		"select set_config(name, 'x', false) from pg_settings, customers where name = 'a'":                                                 "expression",
		"select set_config(name, 'x', false) from customers where name = 'a'":                                                              "expression",
		"with pg_settings as (select 'role'::text as name) select set_config(name, 'x', false) from pg_settings where name = 'a'":          "expression",
		"select (select set_config(name, 'x', false) from customers) from pg_settings where name = 'a'":                                    "expression",
		"select set_config(name, 'x', false) from (select name from pg_settings where name = 'a') s where name = 'a'":                      "expression",
		"select set_config(name, 'x', false) from pg_settings where name = lower('A')":                                                     "expression",
		"select set_config(name, 'x', false) from pg_settings where name = any (array['a', 'role'])":                                       "expression",
		"create temp table pg_settings(name text); select set_config(name, 'x', false) from pg_settings where name = 'a'":                  "expression",
		"select set_config(name, 'x', false) from pg_settings where name = 'a' union select set_config(name, 'x', false) from customers c": "a,expression",
	} {
		all, err := Analyze(text, oldest())
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := all[len(all)-1].Action.Features[action.FeatureSetting]; got != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
}
