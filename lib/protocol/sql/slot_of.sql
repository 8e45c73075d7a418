-- XXH32 in PL/pgSQL. All arithmetic is modulo 2^32 in bigint: a value below 2^32 times a prime written as a
-- signed 32-bit number always fits. The primes of the hash, first to last: -1640531535, -2048144777,
-- -1028477379, 668265263, 374761393.
-- An operator in two pairs of braces is that operator of pg_catalog, so that no search_path changes what it
-- means. Such operators all have one precedence: every pair is in parentheses.
CREATE OR REPLACE FUNCTION shardway.xxh32(input bytea)
RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
DECLARE
  data bytea := input;
  n integer := pg_catalog.octet_length(input);
  i integer := 0;
  h bigint;
  a bigint;
  b bigint;
  c bigint;
  d bigint;
BEGIN
  IF n {{>}} 1000 THEN
    -- A compressed value is unpacked once, not for each byte.
    data := (input {{||}} pg_catalog.decode('', 'hex'));
  END IF;
  IF n {{>=}} 16 THEN
    a := 606290984;
    b := 2246822519;
    c := 0;
    d := 1640531535;
    WHILE i {{<=}} (n {{-}} 16) LOOP
      a := ((a {{+}} ({{word_0}} {{*}} -2048144777)) {{&}} 4294967295);
      a := (((((a {{<<}} 13) {{|}} (a {{>>}} 19)) {{&}} 4294967295) {{*}} -1640531535) {{&}} 4294967295);
      b := ((b {{+}} ({{word_4}} {{*}} -2048144777)) {{&}} 4294967295);
      b := (((((b {{<<}} 13) {{|}} (b {{>>}} 19)) {{&}} 4294967295) {{*}} -1640531535) {{&}} 4294967295);
      c := ((c {{+}} ({{word_8}} {{*}} -2048144777)) {{&}} 4294967295);
      c := (((((c {{<<}} 13) {{|}} (c {{>>}} 19)) {{&}} 4294967295) {{*}} -1640531535) {{&}} 4294967295);
      d := ((d {{+}} ({{word_12}} {{*}} -2048144777)) {{&}} 4294967295);
      d := (((((d {{<<}} 13) {{|}} (d {{>>}} 19)) {{&}} 4294967295) {{*}} -1640531535) {{&}} 4294967295);
      i := (i {{+}} 16);
    END LOOP;
    h := (
      ((((a {{<<}} 1) {{|}} (a {{>>}} 31)) {{&}} 4294967295)
       {{+}} (((b {{<<}} 7) {{|}} (b {{>>}} 25)) {{&}} 4294967295))
      {{+}} ((((c {{<<}} 12) {{|}} (c {{>>}} 20)) {{&}} 4294967295)
       {{+}} (((d {{<<}} 18) {{|}} (d {{>>}} 14)) {{&}} 4294967295))
    );
  ELSE
    h := 374761393;
  END IF;
  h := ((h {{+}} n) {{&}} 4294967295);
  WHILE i {{<=}} (n {{-}} 4) LOOP
    h := ((h {{+}} ({{word_0}} {{*}} -1028477379)) {{&}} 4294967295);
    h := (((((h {{<<}} 17) {{|}} (h {{>>}} 15)) {{&}} 4294967295) {{*}} 668265263) {{&}} 4294967295);
    i := (i {{+}} 4);
  END LOOP;
  WHILE i {{<}} n LOOP
    h := ((h {{+}} (CAST(pg_catalog.get_byte(data, i) AS pg_catalog.int8) {{*}} 374761393)) {{&}} 4294967295);
    h := (((((h {{<<}} 11) {{|}} (h {{>>}} 21)) {{&}} 4294967295) {{*}} -1640531535) {{&}} 4294967295);
    i := (i {{+}} 1);
  END LOOP;
  h := (((h {{#}} (h {{>>}} 15)) {{*}} -2048144777) {{&}} 4294967295);
  h := (((h {{#}} (h {{>>}} 13)) {{*}} -1028477379) {{&}} 4294967295);
  RETURN (h {{#}} (h {{>>}} 16));
END $body$;

-- The commonest key has its own form: the two words of its eight bytes come from the number itself.
CREATE OR REPLACE FUNCTION shardway.slot_of(key bigint)
RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
DECLARE
  h bigint;
BEGIN
  h := ((
    374761401
    {{+}} (
      ((((key {{>>}} 56) {{&}} 255) {{|}} ((key {{>>}} 40) {{&}} 65280))
       {{|}} (((key {{>>}} 24) {{&}} 16711680) {{|}} ((key {{>>}} 8) {{&}} 4278190080)))
      {{*}} -1028477379
    )
  ) {{&}} 4294967295);
  h := ((
    ((((h {{<<}} 17) {{|}} (h {{>>}} 15)) {{&}} 4294967295) {{*}} 668265263)
    {{+}} (
      ((((key {{>>}} 24) {{&}} 255) {{|}} ((key {{>>}} 8) {{&}} 65280))
       {{|}} (((key {{<<}} 8) {{&}} 16711680) {{|}} ((key {{<<}} 24) {{&}} 4278190080)))
      {{*}} -1028477379
    )
  ) {{&}} 4294967295);
  h := (((((h {{<<}} 17) {{|}} (h {{>>}} 15)) {{&}} 4294967295) {{*}} 668265263) {{&}} 4294967295);
  h := (((h {{#}} (h {{>>}} 15)) {{*}} -2048144777) {{&}} 4294967295);
  h := (((h {{#}} (h {{>>}} 13)) {{*}} -1028477379) {{&}} 4294967295);
  RETURN ((h {{#}} (h {{>>}} 16)) {{&}} 4095);
END $body$;

-- The canonical bytes of a key of one column.
CREATE OR REPLACE FUNCTION shardway.key_bytes(key bigint)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT pg_catalog.int8send($1)
$body$;

CREATE OR REPLACE FUNCTION shardway.key_bytes(key integer)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT pg_catalog.int8send(CAST($1 AS pg_catalog.int8))
$body$;

CREATE OR REPLACE FUNCTION shardway.key_bytes(key smallint)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT pg_catalog.int8send(CAST($1 AS pg_catalog.int8))
$body$;

CREATE OR REPLACE FUNCTION shardway.key_bytes(key uuid)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT pg_catalog.uuid_send($1)
$body$;

CREATE OR REPLACE FUNCTION shardway.key_bytes(key bytea)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT $1
$body$;

-- PL/pgSQL, because convert_to is declared STABLE and an SQL function around it would not be inlined.
CREATE OR REPLACE FUNCTION shardway.key_bytes(key text)
RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
BEGIN
  RETURN pg_catalog.convert_to(key, 'UTF8');
END $body$;

CREATE OR REPLACE FUNCTION shardway.key_bytes(key varchar)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT shardway.key_bytes(CAST($1 AS pg_catalog.text))
$body$;

CREATE OR REPLACE FUNCTION shardway.key_bytes(key character)
RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
BEGIN
  RAISE EXCEPTION 'a value of type character(n) cannot be a shard key'
    USING
      ERRCODE = 'feature_not_supported',
      HINT = 'Its blanks make two texts of one key: use text or character varying.';
END $body$;

-- The slot of a key of one column.
CREATE OR REPLACE FUNCTION shardway.slot_of(key integer)
RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT shardway.slot_of(CAST($1 AS pg_catalog.int8))
$body$;

CREATE OR REPLACE FUNCTION shardway.slot_of(key smallint)
RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT shardway.slot_of(CAST($1 AS pg_catalog.int8))
$body$;

CREATE OR REPLACE FUNCTION shardway.slot_of(key bytea)
RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
BEGIN
  RETURN (shardway.xxh32(key) {{&}} 4095);
END $body$;

CREATE OR REPLACE FUNCTION shardway.slot_of(key uuid)
RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
BEGIN
  RETURN (shardway.xxh32(pg_catalog.uuid_send(key)) {{&}} 4095);
END $body$;

CREATE OR REPLACE FUNCTION shardway.slot_of(key text)
RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
BEGIN
  RETURN (shardway.xxh32(pg_catalog.convert_to(key, 'UTF8')) {{&}} 4095);
END $body$;

CREATE OR REPLACE FUNCTION shardway.slot_of(key varchar)
RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT shardway.slot_of(CAST($1 AS pg_catalog.text))
$body$;

CREATE OR REPLACE FUNCTION shardway.slot_of(key character)
RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
BEGIN
  RETURN (shardway.xxh32(shardway.key_bytes(key)) {{&}} 4095);
END $body$;

-- The bytes of one column of a composite key: tag, length, bytes.
CREATE OR REPLACE FUNCTION shardway.key_part(tag integer, value bytea)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT (
    (pg_catalog.substr(pg_catalog.int4send($1), 4) {{||}} pg_catalog.int4send(pg_catalog.octet_length($2)))
    {{||}} $2
  )
$body$;

CREATE OR REPLACE FUNCTION shardway.key_part(key bigint)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT shardway.key_part(1, pg_catalog.int8send($1))
$body$;

CREATE OR REPLACE FUNCTION shardway.key_part(key integer)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT shardway.key_part(CAST($1 AS pg_catalog.int8))
$body$;

CREATE OR REPLACE FUNCTION shardway.key_part(key smallint)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT shardway.key_part(CAST($1 AS pg_catalog.int8))
$body$;

CREATE OR REPLACE FUNCTION shardway.key_part(key text)
RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
BEGIN
  RETURN shardway.key_part(2, pg_catalog.convert_to(key, 'UTF8'));
END $body$;

CREATE OR REPLACE FUNCTION shardway.key_part(key varchar)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT shardway.key_part(CAST($1 AS pg_catalog.text))
$body$;

CREATE OR REPLACE FUNCTION shardway.key_part(key character)
RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
BEGIN
  RETURN shardway.key_bytes(key);
END $body$;

CREATE OR REPLACE FUNCTION shardway.key_part(key uuid)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT shardway.key_part(3, pg_catalog.uuid_send($1))
$body$;

CREATE OR REPLACE FUNCTION shardway.key_part(key bytea)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
  SELECT shardway.key_part(4, $1)
$body$;

-- A NULL part makes the whole NULL, as for one column.
CREATE OR REPLACE FUNCTION shardway.slot_of_parts(VARIADIC parts bytea[])
RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $body$
DECLARE
  whole bytea := pg_catalog.decode('', 'hex');
  part bytea;
BEGIN
  FOREACH part IN ARRAY parts LOOP
    whole := (whole {{||}} part);
  END LOOP;
  RETURN (shardway.xxh32(whole) {{&}} 4095);
END $body$;
