SET client_encoding = 'LATIN1'; SELECT 'caf' || chr(233); SHOW client_encoding;
SELECT chr(8364);
SET client_encoding = 'UTF8'; SELECT chr(8364);
SET client_encoding = 'nosuch';
SELECT convert_from('\xe9', 'LATIN1'), convert_to('é', 'LATIN1');
SELECT '\xff'::bytea, convert_from('\xff', 'UTF8');
