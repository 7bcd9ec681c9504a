// A worker that spawns with ProcessBuilder: the protocol of `worker.rs`.
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

final class Worker {
    private static final int PAGE = 4096;
    private static final int CHUNK = 1 << 29;

    private static List<String> program = List.of("/bin/true");
    private static final List<ByteBuffer> memory = new ArrayList<>();

    private static final class Unable extends Exception {
        Unable(String reason) {
            super(reason);
        }
    }

    private static void spawn(String task) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(program).inheritIO();
        switch (task) {
            case "plain":
                break;
            case "captured":
                builder.redirectOutput(ProcessBuilder.Redirect.PIPE);
                break;
            default:
                throw new Unable("it has no such operation");
        }
        Process child = builder.start();
        if (task.equals("captured")) {
            child.getInputStream().readAllBytes();
        }
        int status = child.waitFor();
        if (status != 0) {
            throw new IOException("the child ended with " + status);
        }
    }

    private static String run(String task, int count) throws Exception {
        StringBuilder said = new StringBuilder("ok");
        for (int i = 0; i < count; i++) {
            long start = System.nanoTime();
            spawn(task);
            said.append(' ').append(System.nanoTime() - start);
        }
        return said.toString();
    }

    private static String together(String task, int threads, int count) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        Callable<Void> many = () -> {
            for (int i = 0; i < count; i++) {
                spawn(task);
            }
            return null;
        };
        List<Callable<Void>> all = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            all.add(many);
        }
        long start = System.nanoTime();
        for (Future<Void> done : pool.invokeAll(all)) {
            done.get();
        }
        long took = System.nanoTime() - start;
        pool.shutdown();
        return "ok " + took;
    }

    private static String touch(long bytes) {
        for (long left = bytes; left > 0; left -= CHUNK) {
            ByteBuffer chunk = ByteBuffer.allocateDirect((int) Math.min(left, CHUNK));
            for (int at = 0; at < chunk.capacity(); at += PAGE) {
                chunk.put(at, (byte) 1);
            }
            memory.add(chunk);
        }
        return "ok";
    }

    private static String answer(String[] words) throws Exception {
        switch (words[0]) {
            case "program":
                program = Arrays.asList(words).subList(1, words.length);
                return "ok";
            case "keep":
                return "ok";
            case "memory":
                return touch(Long.parseLong(words[1]));
            case "run":
                return run(words[2], Integer.parseInt(words[3]));
            case "together":
                return together(words[2], Integer.parseInt(words[3]), Integer.parseInt(words[4]));
            default:
                return "error not understood";
        }
    }

    public static void main(String[] unused) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String said;
            try {
                said = answer(line.split(" "));
            } catch (Unable reason) {
                said = "no " + reason.getMessage();
            } catch (Exception reason) {
                said = "error " + reason.getMessage();
            }
            System.out.println(said);
        }
    }
}
