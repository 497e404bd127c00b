import CWeirSystem
import Glibc
import Synchronization
import WeirWorld

/// A program in a process group of its own, from its start until it is collected.
final class ExecProcess: Sendable {
    struct Failure: Error, Hashable {
        var what: String
        var code: Int32
    }

    /// The ends of the pipes that we read; whoever takes them closes them.
    struct Outputs {
        var events: Int32
        var log: Int32
        var state: Int32
    }

    private struct State {
        /// True from when the number of the process may belong to another.
        var isCollected = false
    }

    private let process: pid_t
    private let state = Mutex(State())

    private init(_ process: pid_t) { self.process = process }

    /// Starts the program. Takes a millisecond or less; call it on a lane all the same.
    static func start(
        _ words: [String], environment: [String: String], directory: String
    ) throws(Failure) -> (ExecProcess, Outputs) {
        guard let program = words.first else { throw Failure(what: "the program has no name", code: EINVAL) }
        var pipes: [[Int32]] = []
        func closeAll(_ ends: [Int]) { for pipe in pipes { for end in ends { _ = close(pipe[end]) } } }
        for _ in 0..<3 {
            var ends: [Int32] = [-1, -1]
            let code = weir_pipe(&ends)
            guard code == 0 else {
                closeAll([0, 1])
                throw Failure(what: "there is no pipe for it", code: code)
            }
            pipes.append(ends)
        }
        let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        var process: pid_t = 0
        let code = withCStrings(words) { arguments in
            withCStrings(variables) { variables in
                program.withCString { program in
                    directory.withCString { directory in
                        weir_spawn_group(
                            program, arguments, variables, directory[0] == 0 ? nil : directory, pipes[0][1],
                            pipes[1][1], pipes[2][1], &process)
                    }
                }
            }
        }
        closeAll([1])
        guard code == 0 else {
            closeAll([0])
            throw Failure(what: "`\(program)` cannot be started", code: code)
        }
        return (ExecProcess(process), Outputs(events: pipes[0][0], log: pipes[1][0], state: pipes[2][0]))
    }

    /// Blocks until the program has ended; what it left running in its group is killed.
    /// - Returns: the exit code, or minus the signal.
    func wait() -> Int32 {
        let failure = weir_await_group(process)
        return state.withLock { state in
            state.isCollected = true
            var status: Int32 = 0
            guard failure == 0, weir_collect(process, &status) == 0 else { return Self.unknownExit }
            return weir_exit_code(status)
        }
    }

    /// Where the program's end could not be learned.
    static let unknownExit: Int32 = 255

    /// Sends a signal to the program and all it started, unless it is gone.
    func signal(_ number: Int32) {
        state.withLock { state in
            if !state.isCollected { _ = kill(-process, number) }
        }
    }

    /// The array of C strings that `execve` takes, ended by a null.
    private static func withCStrings<Result>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers)
    }
}
