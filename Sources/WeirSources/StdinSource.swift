internal import NIOCore
package import WeirFlow
package import WeirGates
package import WeirSettings
package import WeirWorld

#if canImport(Glibc)
    internal import Glibc
#endif

/// Lines from the standard input, until it ends. Whoever writes into the pipe waits while Weir has no room.
package final class StdinSource: Source {
    package struct Settings: WeirSettings.Settings {
        package var format = LineFormat.auto
        package var eventMost = ByteCount.mebibytes(1)

        package init() {}

        package static let fields: [Field<Self>] = [
            field("format", \.format, "What a line is."),
            field(
                "max_event", \.eventMost, range: ByteCount.kibibytes(1)...ByteCount.mebibytes(64),
                "Longest line; what is longer is cut, ends with …[cut] and counts as malformed `too_long`."),
        ]
    }

    private static let chunkBytes = 256 * 1_024
    /// How long a read may keep a stop waiting.
    private static let patienceMilliseconds: Int32 = 100

    package let canBeDelayed = true
    package let meter: SourceMeter
    private let cutter: LineCutter
    private let eventMost: Int
    private let handing: Handing
    private let world: World
    private let descriptor: Int32
    private let stopSignal = StopSignal()

    /// - Parameter descriptor: another one than 0 in tests.
    package init(name: String, settings: Settings, intake: any Intake, world: World, descriptor: Int32 = 0) {
        meter = SourceMeter(name: name, type: "stdin")
        eventMost = settings.eventMost.asInt
        cutter = LineCutter(format: settings.format, limit: eventMost, meter: meter)
        handing = Handing(intake: intake, meter: meter, world: world)
        self.world = world
        self.descriptor = descriptor
    }

    package var addresses: [String] { ["stdin"] }
    package func open() async throws(SourceFailure) {}
    package func stop() async { stopSignal.give() }

    /// Returns at the end of the input too.
    package func run() async throws {
        let lane = world.blocking.lane("source.\(meter.name)")
        defer { lane.close() }
        var cutter = cutter
        var gathered = ByteBuffer()
        var hasEnded = false
        while !hasEnded, !stopSignal.isGiven, !Task.isCancelled {
            guard var chunk = await read(lane) else {
                hasEnded = true
                break
            }
            cutter.skip(&chunk)
            gathered.writeImmutableBuffer(chunk)
            var complete = cutter.completeBytes(in: gathered, known: 0)
            if gathered.readableBytes - complete > eventMost {
                cutter.shorten(&gathered, after: complete, to: eventMost)
                complete = gathered.readableBytes
            }
            await hand(&gathered, complete, &cutter)
        }
        if gathered.readableBytes > 0 {
            if !hasEnded { meter.malformed(1, code: "cut_at_stop") }
            cutter.finish(&gathered, after: 0)
            await hand(&gathered, gathered.readableBytes, &cutter)
        }
    }

    private func hand(_ gathered: inout ByteBuffer, _ complete: Int, _ cutter: inout LineCutter) async {
        guard complete > 0, let whole = gathered.readSlice(length: complete) else { return }
        gathered = gathered.copied()
        let context = BatchContext(kind: .raw, source: meter.name, received: world.time.wall)
        for batch in cutter.batches(of: whole, context: context) { await handing.hand(batch) }
    }

    /// What is there; empty when nothing came within the patience; `nil` at the end.
    private func read(_ lane: any BlockingLane) async -> ByteBuffer? {
        let descriptor = descriptor
        let signal = stopSignal
        return try? await lane.run { () throws -> ByteBuffer? in
            var buffer = ByteBuffer()
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            // Files are always ready; pipes and terminals are waited for in short turns, so that a stop is noticed.
            while poll(&waiting, 1, Self.patienceMilliseconds) == 0 { if signal.isGiven { return buffer } }
            let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.chunkBytes) { bytes in
                max(0, Glibc.read(descriptor, bytes.baseAddress, Self.chunkBytes))
            }
            return count > 0 ? buffer : nil
        } ?? nil
    }
}
