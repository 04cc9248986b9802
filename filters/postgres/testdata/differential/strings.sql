SELECT upper('a'), lower('B'), length('日本'), octet_length('日本'), substring('abcdef' from 2 for 3), position('c' in 'abc'), trim(both 'x' from 'xax'), lpad('7', 3, '0'), repeat('ab', 3), split_part('a,b,c', ',', 2), format('%s-%I-%L', 'a', 'B c', 'd''e');
SELECT regexp_replace('abc123', '[0-9]+', 'N'), regexp_matches('a1b2', '([a-z])([0-9])', 'g');
SELECT 'a' LIKE '_', 'abc' SIMILAR TO 'a%', 'ABC' ~* 'b', 'x' || 1 || 'y';
