SELECT int4range(1, 5), '[2024-01-01,2024-02-01)'::daterange, int4range(1,5) && int4range(4,8), upper(int4range(1,5)), 'empty'::int4range, '{[1,3),[5,7)}'::int4multirange;
