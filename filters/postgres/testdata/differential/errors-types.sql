SELECT 'x'::int;
SELECT '2020-13-01'::date;
SELECT 1::boolean, 'maybe'::boolean;
SELECT 99999999999::int;
SELECT '{1,2'::int[];
SELECT '{"a":}'::json;
SELECT 1/0;
SELECT sqrt(-1);
