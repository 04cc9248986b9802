import com.jcraft.jsch.ChannelExec;
import com.jcraft.jsch.ChannelSftp;
import com.jcraft.jsch.ChannelShell;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.Session;
import com.jcraft.jsch.SftpException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import java.util.Vector;

/** JSch through the gateway: exec with both streams and a status, a terminal, files; port, known_hosts, folder. */
public class JschClient {
  static Session session;

  public static void main(String[] args) throws Exception {
    JSch jsch = new JSch();
    jsch.setKnownHosts(args[1]);
    session = jsch.getSession("web1", "127.0.0.1", Integer.parseInt(args[0]));
    session.setPassword(System.getenv("DRAGOMAN_TEST_TOKEN"));
    session.setConfig("PreferredAuthentications", args.length > 3 ? args[3] : "password");
    session.connect(60_000);
    for (int i = 0; i < 3; i++) {
      is(run("cat; echo oops >&2; exit 4", "through JSch\n"), "through JSch\n|oops\n|4");
    }
    String blocked = run("rm x", "");
    check(blocked.contains("nothing is removed here") && blocked.endsWith("|126"), blocked);
    shell();
    files(args[2]);
    session.disconnect();
    System.out.println("all good");
  }

  static String run(String command, String input) throws Exception {
    ChannelExec c = (ChannelExec) session.openChannel("exec");
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    c.setCommand(command);
    c.setInputStream(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
    c.setOutputStream(out);
    c.setErrStream(err);
    c.connect(60_000);
    wait(c);
    return out + "|" + err + "|" + c.getExitStatus();
  }

  static void wait(com.jcraft.jsch.Channel c) throws Exception {
    for (int i = 0; !c.isClosed(); i++) {
      check(i < 6000, "the channel is not closed");
      Thread.sleep(10);
    }
    c.disconnect();
  }

  static void shell() throws Exception {
    ChannelShell c = (ChannelShell) session.openChannel("shell");
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    c.setPtySize(101, 31, 0, 0);
    c.setInputStream(new ByteArrayInputStream("stty size\rexit 0\r".getBytes(StandardCharsets.UTF_8)), true);
    c.setOutputStream(out);
    c.connect(60_000);
    wait(c);
    check(out.toString().contains("31 101"), out.toString());
  }

  static void files(String folder) throws Exception {
    ChannelSftp c = (ChannelSftp) session.openChannel("sftp");
    c.connect(60_000);
    byte[] data = new byte[700_000];
    new Random(1).nextBytes(data);
    c.put(new ByteArrayInputStream(data), folder + "/jsch");
    ByteArrayOutputStream back = new ByteArrayOutputStream();
    c.get(folder + "/jsch", back);
    check(Arrays.equals(data, back.toByteArray()), "the file is another one");
    c.rename(folder + "/jsch", folder + "/jsch2");
    check(c.stat(folder + "/jsch2").getSize() == data.length, "its size");
    Vector<ChannelSftp.LsEntry> list = c.ls(folder);
    check(list.stream().anyMatch(e -> e.getFilename().equals("jsch2")), "the list");
    c.rm(folder + "/jsch2");
    try {
      c.stat(folder + "/jsch2");
      check(false, "it is still there");
    } catch (SftpException e) {
      check(e.id == ChannelSftp.SSH_FX_NO_SUCH_FILE, "" + e);
    }
    c.disconnect();
  }

  static void is(String have, String want) {
    check(have.equals(want), "have " + have + ", want " + want);
  }

  static void check(boolean ok, String what) {
    if (!ok) {
      throw new IllegalStateException(what);
    }
  }
}
