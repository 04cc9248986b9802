package pgsql

import "strings"

// A catalog is read in two parts: the core, which initdb made and which hardly ever changes, and the
// database's own objects. CatalogQuery is both in one document, for DecodeCatalog; CoreQuery is for DecodeCore,
// and OwnQuery for Core.Decode. CoreVersionQuery changes whenever CoreQuery's answer may.
//
// Each returns one row with one text column. They work on PostgreSQL 15 to 18 and need no
// privilege. View definitions are printed relative to the session's
// search_path, so that path is in the document as well. Printing one waits for
// whoever has a table behind it locked for himself alone: such a view comes
// without a definition, that is, nothing is known of its columns.
//
// Layout, by array position:
//
//	schemas  name
//	rels     oid, schema, name, relkind, [parent oid], view definition, row type oid, [column], reading runs code, writing runs code, ruled
//	column   attnum, name, type oid, not null, expression of a generated column
//	builtins name, worst volatility, kinds, returns set, result type oid (0: differs), [[out name, type oid]] (null: differs)
//	funcs    schema, name, kind, volatility, language, security definer, extension, returns set, result type oid, [[out name, type oid]]
//	types    oid, schema, name, typtype, row relation oid, element oid, base oid, has code of its own
//	ops      name, schema, function schema, function name, extension
//	casts    target type oid, function schema, function name, extension
var (
	CatalogQuery = catalogQuery(strings.NewReplacer("/*own*/", "", "/*att*/", "", "/*rels*/", "", "/*proc*/", "", "/*funcs*/", "", "/*types*/", "", "/*builtins*/", "true"))
	CoreQuery    = catalogQuery(strings.NewReplacer("/*own*/", " AND false", "/*att*/", " AND a.attrelid < 16384", "/*rels*/", " AND c.oid < 16384",
		"/*proc*/", " WHERE p.oid < 16384", "/*funcs*/", " AND proc.oid < 16384", "/*types*/", " WHERE t.oid < 16384", "/*builtins*/", "true"))
	OwnQuery = catalogQuery(strings.NewReplacer("/*own*/", "", "/*att*/", " AND a.attrelid >= 16384", "/*rels*/", " AND c.oid >= 16384",
		"/*proc*/", ownFunctions, "/*funcs*/", " AND proc.oid >= 16384", "/*types*/", " WHERE t.oid >= 16384", "/*builtins*/", "false"))
)

// ownFunctions are the database's own, and those of the core that its operators and casts use.
const ownFunctions = ` WHERE p.oid >= 16384 OR p.oid IN (SELECT oprcode FROM pg_catalog.pg_operator WHERE oid >= 16384)
    OR p.oid IN (SELECT castfunc FROM pg_catalog.pg_cast WHERE oid >= 16384)`

func catalogQuery(part *strings.Replacer) string { return part.Replace(catalogTemplate) }

// CoreVersionQuery returns digits, points and slashes.
const CoreVersionQuery = `SELECT pg_catalog.concat_ws('.',
  (SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_class WHERE oid < 16384),
  (SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_attribute WHERE attrelid < 16384),
  (SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_proc WHERE oid < 16384),
  (SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_type WHERE oid < 16384),
  (SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_inherits WHERE inhrelid < 16384),
  (SELECT pg_catalog.concat(count(*), '/', sum(xmin::pg_catalog.text::pg_catalog.int8)) FROM pg_catalog.pg_namespace WHERE oid < 16384),
  pg_catalog.current_setting('server_version_num'))`

const catalogTemplate = `WITH
ns AS MATERIALIZED (
  SELECT oid, nspname FROM pg_catalog.pg_namespace
  WHERE nspname !~ '^pg_(toast|temp)' OR oid = pg_catalog.pg_my_temp_schema()),
ext AS MATERIALIZED (
  SELECT d.classid, d.objid, e.extname FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
  WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'),
att AS MATERIALIZED (
  SELECT a.attrelid, pg_catalog.json_agg(pg_catalog.json_build_array(a.attnum, a.attname, a.atttypid::pg_catalog.int8, a.attnotnull,
      CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END) ORDER BY a.attnum) AS cols
  FROM pg_catalog.pg_attribute a
  LEFT JOIN pg_catalog.pg_attrdef d ON a.attgenerated <> '' AND d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped/*att*/ GROUP BY 1),
inh AS MATERIALIZED (
  SELECT inhrelid, pg_catalog.json_agg(inhparent::pg_catalog.int8 ORDER BY inhseqno) AS parents FROM pg_catalog.pg_inherits GROUP BY 1),
busy AS MATERIALIZED (
  SELECT DISTINCT w.ev_class AS oid FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = l.relation
    AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
  WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())),
code AS MATERIALIZED (
  SELECT coalesce(f.adrelid, k.conrelid, x.indrelid, d.objid) AS oid FROM pg_catalog.pg_depend d
  LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND f.oid = d.objid
  LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = d.objid
  LEFT JOIN pg_catalog.pg_index x ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.indexrelid = d.objid
  WHERE d.refobjid >= 16384 AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass,
    'pg_catalog.pg_opclass'::pg_catalog.regclass)),
rels AS (
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::pg_catalog.int8, ns.nspname, c.relname, c.relkind, inh.parents,
      CASE WHEN c.relkind IN ('v','m') AND c.oid >= 16384 AND c.oid NOT IN (SELECT oid FROM busy) THEN pg_catalog.pg_get_viewdef(c.oid) END,
      c.reltype::pg_catalog.int8, att.cols, c.relrowsecurity OR c.relhasrules, c.relhastriggers OR c.oid IN (SELECT oid FROM code),
      c.relhasrules AND EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type <> '1'))
    ORDER BY c.oid) AS j
  FROM pg_catalog.pg_class c JOIN ns ON ns.oid = c.relnamespace
  LEFT JOIN att ON att.attrelid = c.oid LEFT JOIN inh ON inh.inhrelid = c.oid
  WHERE c.relkind IN ('r','p','v','m','f','S','c')/*rels*/),
proc AS MATERIALIZED (
  SELECT p.oid, ns.nspname, p.proname, p.prokind, p.provolatile, p.prosecdef, p.proretset, l.lanname, p.prorettype::pg_catalog.int8 AS rettype,
    CASE WHEN p.proargmodes && '{o,b,t}'::pg_catalog."char"[] THEN (
      SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(coalesce(p.proargnames[i], ''), p.proallargtypes[i]::pg_catalog.int8) ORDER BY i)
      FROM pg_catalog.generate_subscripts(p.proargmodes, 1) AS i WHERE p.proargmodes[i] IN ('o','b','t')) END AS outs
  FROM pg_catalog.pg_proc p JOIN ns ON ns.oid = p.pronamespace JOIN pg_catalog.pg_language l ON l.oid = p.prolang/*proc*/),
builtins AS (
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(proname, vol, kinds, retset, rettype, outs) ORDER BY proname) AS j
  FROM (SELECT proname, pg_catalog.max(provolatile) AS vol,
      pg_catalog.string_agg(DISTINCT prokind::pg_catalog.text, '' ORDER BY prokind::pg_catalog.text) AS kinds,
      pg_catalog.bool_or(proretset) AS retset,
      CASE WHEN pg_catalog.min(rettype) = pg_catalog.max(rettype) THEN pg_catalog.min(rettype) ELSE 0 END AS rettype,
      CASE WHEN pg_catalog.count(DISTINCT coalesce(outs, '[]')) = 1 THEN coalesce((pg_catalog.array_agg(outs))[1], '[]') END AS outs
    FROM proc WHERE nspname = 'pg_catalog' AND oid < 16384 GROUP BY proname) b),
funcs AS (
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(nspname, proname, prokind, provolatile, lanname, prosecdef, extname, proretset, rettype, coalesce(outs, '[]'))
    ORDER BY nspname, proname, proc.oid) AS j
  FROM proc LEFT JOIN ext ON ext.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND ext.objid = proc.oid
  WHERE NOT (nspname = 'pg_catalog' AND proc.oid < 16384)/*funcs*/),
types AS (
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(t.oid::pg_catalog.int8, ns.nspname, t.typname, t.typtype, t.typrelid::pg_catalog.int8,
      t.typelem::pg_catalog.int8, t.typbasetype::pg_catalog.int8,
      CASE WHEN t.oid < 16384 OR ext.extname IS NOT NULL THEN false
        WHEN t.typtype = 'b' THEN t.typinput >= 16384 OR t.typoutput >= 16384
        WHEN t.typtype = 'd' THEN EXISTS (SELECT FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_depend d
          ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objid = k.oid
          AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass WHERE k.contypid = t.oid)
        ELSE false END) ORDER BY t.oid) AS j
  FROM pg_catalog.pg_type t JOIN ns ON ns.oid = t.typnamespace
  LEFT JOIN ext ON ext.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND ext.objid = t.oid/*types*/),
ops AS (
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(o.oprname, ns.nspname, proc.nspname, proc.proname, ext.extname) ORDER BY o.oid) AS j
  FROM pg_catalog.pg_operator o JOIN ns ON ns.oid = o.oprnamespace
  LEFT JOIN proc ON proc.oid = o.oprcode
  LEFT JOIN ext ON ext.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND ext.objid = o.oid
  WHERE o.oid >= 16384/*own*/),
casts AS (
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.casttarget::pg_catalog.int8, proc.nspname, proc.proname, ext.extname) ORDER BY c.oid) AS j
  FROM pg_catalog.pg_cast c JOIN proc ON proc.oid = c.castfunc
  LEFT JOIN ext ON ext.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass AND ext.objid = c.oid
  WHERE c.oid >= 16384/*own*/)
SELECT pg_catalog.json_build_object('v', 1, 'path', pg_catalog.current_schemas(true),
  'schemas', (SELECT pg_catalog.json_agg(nspname ORDER BY nspname) FROM ns),
  'rels', (SELECT j FROM rels), 'builtins', CASE WHEN /*builtins*/ THEN (SELECT j FROM builtins) END, 'funcs', (SELECT j FROM funcs),
  'types', (SELECT j FROM types), 'ops', (SELECT j FROM ops), 'casts', (SELECT j FROM casts))::pg_catalog.text`

// NamesQuery returns one row with one text column: the JSON that DecodeNames
// reads. It says how the session resolves names now.
const NamesQuery = `SELECT pg_catalog.json_build_object(
  'user', current_user, 'session_user', session_user,
  'path', pg_catalog.current_schemas(true),
  'temp', pg_catalog.pg_my_temp_schema()::pg_catalog.regnamespace,
  'strings', pg_catalog.current_setting('standard_conforming_strings') = 'on',
  'client_encoding', pg_catalog.current_setting('client_encoding'),
  'server_encoding', pg_catalog.current_setting('server_encoding'))::pg_catalog.text`
