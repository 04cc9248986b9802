SELECT '1'::int, CAST('2' AS bigint), int '3', '4'::text::int, 5::text, true::int, '(1,2)'::point, 1::bit(4), '12:00'::time, 'pg_class'::regclass, 16::regtype, 'now'::regproc;
