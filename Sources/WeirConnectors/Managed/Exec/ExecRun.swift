import Glibc
import WeirSettings
import WeirWorld

/// Runs a program and takes what it prints.
package struct ExecImporter: ManagedImporter {
    private let id: ConnectorID
    private let settings: ExecSettings
    private let means: ManagedMeans
    /// What every program gets of Weir's own environment.
    private let inherited: [String: String]

    /// - Parameter inherited: Weir's environment; only a few harmless names of it are handed on.
    package init(_ id: ConnectorID, _ settings: ExecSettings, _ means: ManagedMeans, inherited: [String: String]) {
        self.id = id
        self.settings = settings
        self.means = means
        self.inherited = inherited.filter { ["PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR"].contains($0.key) }
    }

    /// States up to this size also stand in the environment; the kernel takes no variable over 128 KiB.
    static let stateInEnvironmentMost = 32 << 10
    static let stateMost = 16 << 20

    package func run(state: String?, into outlet: EventOutlet) async throws -> String? {
        let lane = means.world.blocking.lane("exec-\(id)")
        defer { lane.close() }
        let file = means.scratch + "/" + fileName
        let words = settings.command
        let directory = settings.directory
        let environment = environment(state: state, file: file)
        let files = means.world.files
        let scratch = means.scratch
        let started: (ExecProcess, ExecProcess.Outputs)
        do {
            started = try await lane.run {
                try files.makeDirectory(scratch)
                try Self.write(state ?? "null", to: file, files)
                return try ExecProcess.start(words, environment: environment, directory: directory)
            }
        } catch {
            throw Self.notStarted(error)
        }
        let watch = ExecWatch(id: id, settings: settings, world: means.world, outlet: outlet)
        let result: Result<String?, any Error>
        do { result = .success(try await attend(started.0, started.1, lane, watch)) } catch { result = .failure(error) }
        try? await lane.run { try files.remove(file) }
        return try result.get()
    }

    /// Moves what comes out, until the program has ended and its pipes are empty; ends it when it may not go on.
    private func attend(
        _ process: ExecProcess, _ outputs: ExecProcess.Outputs, _ lane: any BlockingLane, _ watch: ExecWatch
    ) async throws -> String? {
        let time = means.world.time
        let (grace, timeout) = (settings.grace, settings.timeout)
        // A program that is told to end says something about it, and must not die of a pipe that nobody holds.
        let kept = [outputs.events, outputs.log, outputs.state].map { fcntl($0, F_DUPFD_CLOEXEC, 10) }
        defer { for descriptor in kept where descriptor >= 0 { _ = close(descriptor) } }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // A lane cannot be cancelled, so this ends only with the program.
                let code = (try? await lane.run { process.wait() }) ?? ExecProcess.unknownExit
                watch.exited(code)
            }
            group.addTask {
                do {
                    try await watch.move(outputs, on: means.group, time: time, timeout: timeout)
                } catch {
                    // Nobody reads any more, so it would wait for ever, or be told by SIGPIPE; it is told properly.
                    await Self.end(process, watch, grace: grace, time: time)
                    throw error
                }
            }
            try await group.waitForAll()
            return try watch.result()
        }
    }

    /// SIGTERM to the group, and SIGKILL when it has not ended after the grace.
    private static func end(
        _ process: ExecProcess, _ watch: ExecWatch, grace: Duration, time: any TimeSource
    ) async {
        process.signal(SIGTERM)
        let deadline = time.now + grace
        // The run's own task is perhaps cancelled; the grace must run its course all the same.
        await withoutCancellation {
            while !watch.hasExited, time.now < deadline { try? await time.sleep(for: .milliseconds(50)) }
        }
        process.signal(SIGKILL)
    }

    private func environment(state: String?, file: String) -> [String: String] {
        var environment = inherited
        environment.merge(settings.environment) { $1 }
        environment.merge(settings.secrets.mapValues(\.text)) { $1 }
        environment["WEIR_CONNECTOR_ID"] = id
        environment["WEIR_STATE_FILE"] = file
        if let state, state.utf8.count <= Self.stateInEnvironmentMost { environment["WEIR_STATE"] = state }
        return environment.filter { !$0.value.utf8.contains(0) }
    }

    /// A name that no id can lead out of the directory with.
    private var fileName: String {
        let safe = id.unicodeScalars.prefix(60).map { scalar -> Character in
            scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                ? Character(scalar) : "_"
        }
        return String(safe) + "-" + String(means.world.random.next(), radix: 16) + ".state"
    }

    private static func write(_ state: String, to path: String, _ files: any FileSystem) throws {
        let handle = try files.open(path, .write(create: true, exclusive: true))
        defer { handle.close() }
        try Array(state.utf8).withUnsafeBytes { try handle.write([$0], at: 0) }
    }

    private static func notStarted(_ error: any Error) -> any Error {
        switch error {
        case let failure as ExecProcess.Failure:
            let text = String(cString: strerror(failure.code))
            let look =
                switch failure.code {
                case ENOENT: " Look at `command` and `directory`."
                case EACCES: " Weir's user may not run it: `chmod +x`, or name the program that reads it first."
                default: ""
                }
            return RunFailure("exec_failed", "The run failed: \(failure.what) (\(text)).\(look)")
        case let failure as FileFailure:
            return RunFailure(failure.kind.rawValue, "The state could not be handed to the program: \(failure).")
        default: return error
        }
    }
}

/// Runs `body` in a task that the cancellation of this one does not reach, and waits for it.
private func withoutCancellation(_ body: @escaping @Sendable () async -> Void) async {
    // Kept and awaited here, and bounded by what `body` waits for.
    let task = Task { await body() }
    await task.value
}
