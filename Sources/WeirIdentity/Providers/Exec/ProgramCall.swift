import Foundation
import Glibc
import Synchronization

/// A program that is given a request on standard input and answers in lines on standard output. It runs in a process
/// group of its own, which is killed as a whole when it may not go on. Blocking: one thread at a time.
final class ProgramCall: @unchecked Sendable {
    // Used by one thread at a time: the silo's lane.
    struct Failure: Error {
        var code: String
        var text: String
        var isPassing: Bool
    }

    private static let lineMost = 64 << 20
    private static let errorsMost = 2 << 10

    private var process: pid_t = 0
    private var output: Int32 = -1
    private var errors: Int32 = -1
    private var rest: [UInt8] = []
    private var said: [UInt8] = []
    private var status: Int32?

    /// - Parameters:
    ///   - words: the program, looked for in `PATH` unless it has a slash, and its arguments.
    ///   - request: what stands on its standard input; it is a file, so that a program that reads none of it is no
    /// harm.
    init(_ words: [String], environment: [String: String], request: [UInt8]) throws(Failure) {
        guard let program = words.first else {
            throw Failure(code: "no_program", text: "there is no program", isPassing: false)
        }
        let input = try Self.file(of: request)
        var ends: [[Int32]] = []
        defer { _ = close(input) }
        for _ in 0..<2 {
            var pipe: [Int32] = [-1, -1]
            guard Glibc.pipe(&pipe) == 0 else {
                for pair in ends { for end in pair { _ = close(end) } }
                throw Failure(code: "too_many_open_files", text: "there is no pipe for \(program)", isPassing: true)
            }
            for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            ends.append(pipe)
        }
        let code = Self.spawn(words, environment, input, ends[0][1], ends[1][1], &process)
        _ = close(ends[0][1])
        _ = close(ends[1][1])
        guard code == 0 else {
            _ = close(ends[0][0])
            _ = close(ends[1][0])
            throw Failure(
                code: "not_started", text: "\(program) cannot be started: \(String(cString: strerror(code)))",
                isPassing: false)
        }
        output = ends[0][0]
        errors = ends[1][0]
    }

    deinit { end() }

    /// A file that nobody else can open and that is gone when it is closed.
    private static func file(of bytes: [UInt8]) throws(Failure) -> Int32 {
        var name = Array(
            (FileManager.default.temporaryDirectory.path + "/weir-request-" + String(repeating: "X", count: 6))
                .utf8CString)
        let file = mkstemp(&name)
        guard file >= 0 else {
            throw Failure(code: "io_error", text: "no file for a request can be made", isPassing: true)
        }
        _ = unlink(name)
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        var at = 0
        while at < bytes.count {
            let count = bytes.withUnsafeBytes { write(file, $0.baseAddress.map { $0 + at }, bytes.count - at) }
            guard count > 0 else {
                _ = close(file)
                throw Failure(code: "disk_full", text: "a request cannot be written", isPassing: true)
            }
            at += count
        }
        _ = lseek(file, 0, SEEK_SET)
        return file
    }

    private static func spawn(
        _ words: [String], _ environment: [String: String], _ input: Int32, _ output: Int32, _ errors: Int32,
        _ process: inout pid_t
    ) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (from, to) in [(input, 0), (output, 1), (errors, 2)] as [(Int32, Int32)] {
            posix_spawn_file_actions_adddup2(&actions, from, to)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        var variables: [UnsafeMutablePointer<CChar>?] = environment.sorted { $0.key < $1.key }.map {
            strdup("\($0.key)=\($0.value)")
        }
        variables.append(nil)
        defer { for pointer in arguments + variables { free(pointer) } }
        return posix_spawnp(&process, words[0], &actions, &attributes, arguments, variables)
    }

    /// Whole lines that are there, at least one; empty when the program has closed its output.
    /// - Parameter milliseconds: for the next of them.
    func lines(within milliseconds: Int32) throws(Failure) -> [[UInt8]] {
        var room = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            var polls = [
                pollfd(fd: output, events: Int16(POLLIN), revents: 0),
                pollfd(fd: errors, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&polls, 2, milliseconds)
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else {
                throw Failure(code: "timeout", text: "the program did not answer in time\(lastWords)", isPassing: true)
            }
            if polls[1].revents != 0 {
                let count = read(errors, &room, room.count)
                if count <= 0 {
                    _ = close(errors)
                    errors = -1
                } else {
                    said.append(contentsOf: room[..<count])
                    if said.count > Self.errorsMost { said.removeFirst(said.count - Self.errorsMost) }
                }
            }
            guard polls[0].revents != 0 else { continue }
            let count = read(output, &room, room.count)
            if count <= 0 {
                let last = rest
                rest = []
                return last.isEmpty ? [] : [last]
            }
            rest.append(contentsOf: room[..<count])
            guard rest.count <= Self.lineMost else {
                throw Failure(code: "too_large", text: "the program wrote a line without an end", isPassing: false)
            }
            if room[..<count].contains(10) { return cut() }
        }
    }

    private func cut() -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = 0
        while let end = rest[start...].firstIndex(of: 10) {
            lines.append(Array(rest[start..<end]))
            start = end + 1
        }
        rest.removeFirst(start)
        return lines
    }

    /// What it said on standard error, for the sentence of a failure.
    var lastWords: String {
        let text = String(decoding: said, as: UTF8.self).split(separator: "\n").suffix(3).joined(separator: " / ")
        return text.isEmpty ? "" : ": " + text
    }

    /// Kills it and all it started, unless it has ended; collects it.
    /// - Returns: its exit code, or minus the signal.
    @discardableResult
    func end(kill: Bool = true) -> Int32 {
        if let status { return status }
        guard process > 0 else { return 0 }
        if kill { _ = Glibc.kill(-process, SIGKILL) }
        var found: Int32 = 0
        while waitpid(process, &found, 0) < 0, errno == EINTR {}
        if !kill { _ = Glibc.kill(-process, SIGKILL) }
        _ = close(output)
        if errors >= 0 { _ = close(errors) }
        let code = found & 0x7F == 0 ? (found >> 8) & 0xFF : -(found & 0x7F)
        status = code
        return code
    }
}
