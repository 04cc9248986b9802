SELECT '\xdeadbeef'::bytea, 'abc'::bytea, decode('YWJj', 'base64'), encode('\x00ff', 'hex');
SET bytea_output = 'escape';
SELECT '\x00616263ff'::bytea;
