SHOW server_encoding; SET work_mem = '8MB'; SHOW work_mem; RESET work_mem;
SET nosuch = 1; SET my.custom = 'x'; SHOW my.custom; SELECT current_setting('my.custom'), current_setting('nope', true);
SET statement_timeout = '50ms'; SELECT pg_sleep(2); RESET statement_timeout;
SET extra_float_digits = 0; SELECT 0.1::float8 + 0.2; DISCARD ALL; SHOW extra_float_digits;
