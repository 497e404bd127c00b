import Foundation
import Synchronization

/// A real program beside the test, ended with it.
final class PeerProcess: Sendable {
    let number: Int32
    private let process: Process
    private let log: String

    /// Ended when the test process ends, whatever became of the tests.
    private static let running = Mutex<Set<Int32>>([])
    private static let endAll: Void = {
        atexit {
            for number in PeerProcess.running.withLock({ $0 }) { kill(number, SIGKILL) }
        }
    }()

    init(_ program: String, _ arguments: [String], log: String, environment: [String: String] = [:]) throws {
        _ = Self.endAll
        process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        let output = FileHandle(forWritingAtPath: log) ?? .nullDevice
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        self.log = log
        try process.run()
        number = process.processIdentifier
        let started = number
        Self.running.withLock { _ = $0.insert(started) }
    }

    deinit { end(SIGKILL) }

    var isRunning: Bool { process.isRunning }

    var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    func signal(_ signal: Int32) { if process.isRunning { kill(number, signal) } }

    /// Sends the signal and waits for the end. SIGKILL: a program that was started from a thread of the pool has that
    /// thread's signals blocked, SIGTERM among them.
    func end(_ signal: Int32 = SIGKILL) {
        if process.isRunning { kill(number, signal) }
        process.waitUntilExit()
        let ended = number
        Self.running.withLock { _ = $0.remove(ended) }
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Runs a program to its end. Its output goes to a file: the end of a pipe would be inherited by a server that
    /// another test starts at the same moment, and never come.
    @discardableResult
    static func run(_ program: String, _ arguments: [String]) throws -> String {
        let scratch = try Scratch("run")
        let log = try scratch.write("output", "")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let output = FileHandle(forWritingAtPath: log) ?? .nullDevice
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        guard process.terminationStatus == 0 else { throw Failure(description: "\(program): \(text)") }
        return text
    }

    static func path(_ program: String) -> String? {
        ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"].map { "\($0)/\(program)" }
            .first { access($0, X_OK) == 0 }
    }
}

/// A directory of a test, removed at its end.
final class Scratch: Sendable {
    let path: String

    init(_ name: String) throws {
        path = FileManager.default.temporaryDirectory.path + "/\(name)-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ file: String, _ text: String) throws -> String {
        try text.write(toFile: "\(path)/\(file)", atomically: true, encoding: .utf8)
        return "\(path)/\(file)"
    }
}
