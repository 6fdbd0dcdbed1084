// Flink's side of bench/run peers: runs the statements of a file, SET among them, in a cluster within this process.
// usage: FlinkTotals FILE [NAME=VALUE]...: ${NAME} in the file is VALUE. Runs until its input ends.
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

public class FlinkTotals {
    private static final Pattern SET = Pattern.compile("SET '([^']*)' = '([^']*)'");

    private static String read(String[] args) throws Exception {
        String text = Files.readString(Path.of(args[0])).replaceAll("(?m)^--.*$", "");
        for (int i = 1; i < args.length; i++) {
            String[] pair = args[i].split("=", 2);
            text = text.replace("${" + pair[0] + "}", pair[1]);
        }
        return text;
    }

    public static void main(String[] args) throws Exception {
        Configuration settings = new Configuration();
        List<String> statements = new ArrayList<>();
        for (String statement : read(args).split(";")) {
            Matcher set = SET.matcher(statement.strip());
            if (set.matches()) {
                settings.setString(set.group(1), set.group(2));
            } else if (!statement.isBlank()) {
                statements.add(statement.strip());
            }
        }
        TableEnvironment tables = TableEnvironment.create(
            EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(settings).build());
        TableResult last = null;
        for (String statement : statements) {
            last = tables.executeSql(statement);
        }
        while (System.in.read() >= 0) {
            continue;
        }
        last.getJobClient().get().cancel().get();
    }
}
