-- The roles of ShopSphere itself, on every server. Those of the migration come with `shardway plan`.
CREATE ROLE shop_owner NOLOGIN;
CREATE ROLE shop_app LOGIN;
