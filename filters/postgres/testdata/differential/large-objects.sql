SELECT lo_create(4242);
SELECT lo_put(4242, 0, 'hello');
SELECT convert_from(lo_get(4242), 'UTF8');
BEGIN; SELECT lo_open(4242, 131072); SELECT loread(0, 5); COMMIT;
SELECT lo_unlink(4242);
SELECT lo_get(4242);
\lo_list
