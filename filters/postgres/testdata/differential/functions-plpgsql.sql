CREATE FUNCTION f(n int) RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..n LOOP RAISE NOTICE 'i=%', i; RETURN NEXT i; END LOOP; END $$;
SELECT * FROM f(3);
CREATE FUNCTION bad() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1/0; EXCEPTION WHEN division_by_zero THEN RETURN -1; END $$;
SELECT bad();
CREATE FUNCTION dyn(t text) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE r bigint; BEGIN EXECUTE format('SELECT count(*) FROM %I', t) INTO r; RETURN r; END $$;
SELECT dyn('pg_class') > 0; SELECT dyn('nowhere');
