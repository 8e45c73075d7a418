CAST((
        (pg_catalog.get_byte(data, (i {{+}} {{first}}))
         {{|}} (pg_catalog.get_byte(data, (i {{+}} {{second}})) {{<<}} 8))
        {{|}} ((pg_catalog.get_byte(data, (i {{+}} {{third}})) {{<<}} 16)
         {{|}} (pg_catalog.get_byte(data, (i {{+}} {{fourth}})) {{<<}} 24))
      ) AS pg_catalog.int8)
