-- hex safe
SELECT encode(ssn::bytea, 'hex') FROM customers WHERE id = 1;

-- base64 safe
SELECT encode(convert_to(card, 'UTF8'), 'base64') FROM customers WHERE id = 1;

-- escape safe
SELECT encode(card::bytea, 'escape') FROM customers WHERE id = 1;

-- reverse safe
SELECT reverse(ssn) FROM customers WHERE id = 1;

-- md5 safe
SELECT md5(ssn) FROM customers WHERE id = 1;

-- ascii-of-each-character safe
SELECT ascii(substr(ssn, g, 1)) FROM customers, generate_series(1, 11) g WHERE id = 1;

-- split-rows safe
SELECT regexp_split_to_table(card, '') FROM customers WHERE id = 1;

-- substr-halves safe
SELECT substr(ssn, 1, 5), substr(ssn, 6) FROM customers WHERE id = 1;

-- concatenation safe
SELECT 'x' || ssn || 'y' FROM customers WHERE id = 1;

-- format safe
SELECT format('%s/%s', ssn, card) FROM customers WHERE id = 1;

-- quote-literal safe
SELECT quote_literal(ssn), quote_nullable(card) FROM customers WHERE id = 1;

-- translate safe
SELECT translate(ssn, '0123456789', 'abcdefghij') FROM customers WHERE id = 1;

-- replace safe
SELECT replace(email, '@', ' at ') FROM customers WHERE id = 1;

-- overlay safe
SELECT overlay(ssn placing '' from 4 for 1) FROM customers WHERE id = 1;

-- string-to-array safe
SELECT string_to_array(ssn, '-') FROM customers WHERE id = 1;

-- pgp-encrypt safe
SELECT pgp_sym_encrypt(ssn, 'k') FROM customers WHERE id = 1;

-- arithmetic-on-digits safe
SELECT replace(ssn, '-', '')::bigint + 1 FROM customers WHERE id = 1;

-- bit-string safe
SELECT ssn::bytea FROM customers WHERE id = 1;

-- length safe
SELECT length(email), octet_length(ssn) FROM customers WHERE id = 1;

-- other-client-encoding mask
SET client_encoding = 'LATIN1'; SELECT ssn FROM customers WHERE id = 1;

-- xml safe
SELECT xmlelement(name a, ssn) FROM customers WHERE id = 1;

-- json-build safe
SELECT json_build_object('v', card) FROM customers WHERE id = 1;
