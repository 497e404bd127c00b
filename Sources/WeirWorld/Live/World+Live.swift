package import Logging

extension World {
    /// The world as it is: the machine's clocks, chance, files and threads.
    package static func live(log: Logger) -> World {
        World(
            time: LiveTime(), random: LiveRandom(), files: LiveFileSystem(), blocking: LiveBlocking(), log: log)
    }
}
