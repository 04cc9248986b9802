CREATE SCHEMA s; CREATE TYPE e AS ENUM ('a'); CREATE DOMAIN d AS int; CREATE SEQUENCE q;
\dn
\dT
\dD
\ds
\d q
\l diff
