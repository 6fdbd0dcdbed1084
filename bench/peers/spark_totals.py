"""Spark's side of bench/run peers: order_count and total_revenue per product of plain JSON sales, in micro-batches with a checkpoint.
Runs until all is counted, then writes what its state holds: product, count and cents, a line each.
usage: spark_totals.py BOOTSTRAP TOPIC FOLDER BATCH OUT JARS"""
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f


def main():
    bootstrap, topic, folder, batch, out, jars = sys.argv[1:]
    spark = (SparkSession.builder.master("local[2]").appName("totals").config("spark.jars", jars).config("spark.driver.memory", "2g")
             .config("spark.sql.shuffle.partitions", "2")  # as many as there are cores; the default of 200 is for clusters
             .config("spark.ui.enabled", "false").config("spark.local.dir", f"{folder}/local")
             .config("spark.sql.warehouse.dir", f"{folder}/warehouse").getOrCreate())
    sale = f.from_json(f.col("value").cast("string"), "product_id STRING, quantity INT, unit_price DECIMAL(10,2)")
    totals = (spark.readStream.format("kafka").option("kafka.bootstrap.servers", bootstrap).option("subscribe", topic)
              .option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", batch).load()
              .select(sale.alias("sale")).groupBy("sale.product_id")
              .agg(f.count("*").alias("order_count"), f.sum(f.col("sale.quantity") * f.col("sale.unit_price")).alias("total_revenue")))
    query = totals.writeStream.outputMode("update").format("noop").option("checkpointLocation", f"{folder}/checkpoint").start()
    query.processAllAvailable()
    query.stop()
    with open(out, "w", encoding="ascii") as file:
        for row in spark.read.format("statestore").load(f"{folder}/checkpoint").collect():
            key, count, revenue = row["key"][0], row["value"][0], row["value"][1]
            file.write(f"{key}\t{count}\t{int(revenue.scaleb(2))}\n")
    spark.stop()


if __name__ == "__main__":
    main()
