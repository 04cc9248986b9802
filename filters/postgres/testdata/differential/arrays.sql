SELECT ARRAY[1,2,3], ARRAY[[1,2],[3,4]], '{}'::int[], ARRAY[NULL, 'a b', 'c"d'], (ARRAY[1,2,3])[2:3], array_length(ARRAY[1,2], 1), ARRAY[1] || 2, 2 = ANY(ARRAY[1,2]);
SELECT unnest(ARRAY['a','b']) WITH ORDINALITY;
SELECT * FROM unnest(ARRAY[1,2], ARRAY['a','b','c']) WITH ORDINALITY AS t(a, b, n);
