import Glibc
import NIOCore
import NIOPosix
import Synchronization
import WeirGates
import WeirSettings
import WeirWires
import WeirWorld

/// What is seen of one run of a program: its events, its log, its state, its end.
final class ExecWatch: Sendable {
    private struct State {
        var exitCode: Int32?
        /// The last state that it set.
        var next: String?
        /// The last lines of its log, for the sentence of a failure.
        var tail: [String] = []
    }

    private let id: ConnectorID
    private let settings: ExecSettings
    private let world: World
    private let outlet: EventOutlet
    private let state = Mutex(State())

    init(id: ConnectorID, settings: ExecSettings, world: World, outlet: EventOutlet) {
        self.id = id
        self.settings = settings
        self.world = world
        self.outlet = outlet
    }

    private let ended = Alarm()

    func exited(_ code: Int32) {
        state.withLock { $0.exitCode = code }
        ended.poke()
    }

    var hasExited: Bool { state.withLock { $0.exitCode != nil } }

    /// The state of a program that ended well.
    func result() throws -> String? {
        let (code, next, tail) = state.withLock { ($0.exitCode, $0.next, $0.tail) }
        guard let code, code != 0 else { return next }
        let how = code < 0 ? "was ended by signal \(-code)" : "ended with code \(code)"
        let said = tail.isEmpty ? " and said nothing." : ": " + tail.joined(separator: " / ").clipped(to: 400)
        throw RunFailure("exec_exit", "`\(settings.command.first ?? "")` \(how)\(said)")
    }

    /// Reads all three outputs to their ends, and waits for the program's.
    func move(
        _ outputs: ExecProcess.Outputs, on loops: any EventLoopGroup, time: any TimeSource, timeout: Duration
    ) async throws {
        let pipes = try await Self.open([outputs.events, outputs.log, outputs.state], on: loops)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await pipes[0].executeThenClose { try await self.moveEvents($0) }
                return true
            }
            group.addTask {
                try await pipes[1].executeThenClose { try await self.moveLog($0) }
                return true
            }
            group.addTask {
                try await pipes[2].executeThenClose { try await self.moveState($0) }
                return true
            }
            group.addTask {
                while !self.hasExited {
                    try Task.checkCancellation()
                    await self.ended.wait()
                }
                return true
            }
            group.addTask {
                try await time.sleep(for: timeout)
                return false
            }
            defer { group.cancelAll() }
            var open = 4
            while open > 0, let isInTime = try await group.next() {
                if !isInTime {
                    throw RunFailure(
                        "exec_timeout",
                        "The program was still running after \(timeout.shortText) (`timeout`), and was ended.")
                }
                open -= 1
            }
        }
    }

    private typealias Pipe = NIOAsyncChannel<ByteBuffer, Never>

    private static func open(_ descriptors: [Int32], on loops: any EventLoopGroup) async throws -> [Pipe] {
        var pipes: [Pipe] = []
        for (index, descriptor) in descriptors.enumerated() {
            do {
                let pipe = try await NIOPipeBootstrap(group: loops)
                    .channelOption(.maxMessagesPerRead, value: 1)
                    .takingOwnershipOfDescriptor(input: descriptor) { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try Pipe(wrappingChannelSynchronously: channel)
                        }
                    }
                pipes.append(pipe)
            } catch {
                for left in descriptors[index...] { _ = close(left) }
                for pipe in pipes { try? await pipe.executeThenClose { _ in } }
                throw error
            }
        }
        return pipes
    }

    private func moveEvents(_ pieces: NIOAsyncChannelInboundStream<ByteBuffer>) async throws {
        let most = settings.lineMost
        var splitter = LineSplitter(most: most.asInt) { line in
            RunFailure(
                "line_too_long", "Line \(line) of standard output is longer than \(most) (`line_most`).")
        }
        var lines = EventLines()
        var number = 0
        func take(_ line: UnsafeRawBufferPointer) throws(RunFailure) {
            number += 1
            if line.allSatisfy({ $0 <= 0x20 }) || lines.add(line) { return }
            throw RunFailure(
                "invalid_event",
                "Line \(number) of standard output is no JSON object: `\(excerpt(line))`. What is no event belongs on "
                    + "standard error.")
        }
        for try await piece in pieces {
            try splitter.feed(piece, take)
            let taken = lines.take()
            try await outlet.write(taken.lines, count: taken.count)
        }
        try splitter.finish(take)
        let taken = lines.take()
        try await outlet.write(taken.lines, count: taken.count)
    }

    private func moveLog(_ pieces: NIOAsyncChannelInboundStream<ByteBuffer>) async throws {
        var log = ExecLog(id: id, secrets: settings.secrets.values.map(\.text), log: world.log)
        for try await piece in pieces {
            log.take(piece)
            let tail = log.tail
            state.withLock { $0.tail = tail }
        }
        log.finish()
        let tail = log.tail
        state.withLock { $0.tail = tail }
    }

    private func moveState(_ pieces: NIOAsyncChannelInboundStream<ByteBuffer>) async throws {
        var splitter = LineSplitter(most: ExecImporter.stateMost) { _ in
            RunFailure("state_too_long", "The state that the program set is longer than 16 MiB.")
        }
        func take(_ line: UnsafeRawBufferPointer) throws(RunFailure) {
            if line.allSatisfy({ $0 <= 0x20 }) { return }
            guard let text = Self.stateText(line) else {
                throw RunFailure(
                    "invalid_state",
                    "What the program wrote on descriptor 3 is not `{\"state\": …}`: `\(excerpt(line))`.")
            }
            state.withLock { $0.next = text }
        }
        for try await piece in pieces { try splitter.feed(piece, take) }
        try splitter.finish(take)
    }

    /// The value of `state`, as it was written.
    static func stateText(_ line: UnsafeRawBufferPointer) -> String? {
        var lines = EventLines()
        guard lines.add(line), let members = JSONSplitter.members(of: line) else { return nil }
        for member in members where line[member.key].elementsEqual("state".utf8) {
            return String(decoding: line[member.value], as: UTF8.self)
        }
        return nil
    }
}
