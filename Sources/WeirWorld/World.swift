package import Logging

/// All that a part of Weir may reach outside itself. It is passed by `init`, never fetched: production builds
/// `World.live`, tests build a simulated one.
package struct World: Sendable {
    package var time: any TimeSource
    package var random: any RandomSource
    package var files: any FileSystem
    /// Runs blocking work away from the cooperative pool and the event loops.
    package var blocking: any BlockingExecutor
    package var log: Logger

    package init(
        time: any TimeSource, random: any RandomSource, files: any FileSystem, blocking: any BlockingExecutor,
        log: Logger
    ) {
        self.time = time
        self.random = random
        self.files = files
        self.blocking = blocking
        self.log = log
    }
}
