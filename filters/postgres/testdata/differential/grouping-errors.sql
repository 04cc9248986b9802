SELECT a, count(*) FROM (VALUES (1, 2)) v(a, b); SELECT sum(sum(1)); SELECT count(*) FILTER (WHERE nosuch);
SELECT a FROM (VALUES (1)) v(a) GROUP BY b;
