SELECT 1, 'a', NULL, true, 1.5, '{}'::jsonb;
SELECT 'quo''ted', E'esc\taped', $$dollar$$, $t$nested $$ here$t$;
SELECT U&'\0041', B'101', X'FF';
