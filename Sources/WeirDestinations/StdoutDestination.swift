import Glibc
import NIOCore
package import WeirFlow
import WeirGates
package import WeirSettings
package import WeirWorld

/// Writes events to standard output, one a line, for a look at what flows and for pipes.
///
/// Holds back while the reader of the pipe does not read. Delivered means that the kernel has the bytes. When the
/// reader is gone (EPIPE) it is unreachable; the process must ignore SIGPIPE.
package final class StdoutDestination: Destination {
    package struct Settings: DestinationSettings {
        package static let type = "stdout"
        package static let summary = "Writes events to standard output, one a line."

        package var format = LineFormat.lines
        package init() {}
        package static let fields: [Field<Self>] = [field("format", \.format, "How events become lines.")]

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            let shape = DeliveryShape(
                bytesMost: 1 << 20, linger: .zero, concurrency: 1, isOrdered: true, timeout: .seconds(3_600),
                joinsContexts: true)
            let world = planning.means.world
            let format = format
            let endpoint = EndpointPlan(name: "stdout") { _ in StdoutDestination(format: format, world: world) }
            return .receiver(DestinationPlan(shape: shape, endpoints: [endpoint]))
        }
    }

    private let format: LineFormat
    private let lane: any BlockingLane
    private let descriptor: Int32

    /// - Parameter descriptor: 1, or a test's pipe.
    package init(format: LineFormat, world: World, descriptor: Int32 = 1) {
        self.format = format
        self.descriptor = descriptor
        lane = world.blocking.lane("stdout")
    }

    deinit { lane.close() }

    package func open() async throws(DeliveryFailure) {}

    package func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport {
        let bytes = format.bytes(of: batch)
        let descriptor = descriptor
        let code: Int32
        do {
            code = try await lane.run { StdoutDestination.write(bytes, to: descriptor) }
        } catch {
            throw .cancelled
        }
        guard code != 0 else { return .delivered }
        throw .unreachable(
            code == EPIPE
                ? Reason("connection_closed", "Nobody reads standard output any more.")
                : Reason("io_error", "Standard output cannot be written (errno \(code))."))
    }

    package func close() async {}

    /// - Returns: 0, or the errno.
    private static func write(_ bytes: ByteBuffer, to descriptor: Int32) -> Int32 {
        bytes.withUnsafeReadableBytes { all in
            var rest = all
            while let address = rest.baseAddress, !rest.isEmpty {
                let written = Glibc.write(descriptor, address, rest.count)
                if written >= 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest[written...])
                    continue
                }
                switch errno {
                case EINTR: continue
                case EAGAIN:
                    // Somebody made the terminal or pipe non-blocking: wait for room like everybody else.
                    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&waiting, 1, 1_000)
                default: return errno
                }
            }
            return 0
        }
    }
}
