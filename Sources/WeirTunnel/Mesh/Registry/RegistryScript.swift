/// What the registry does with a beat, as a script that Redis runs whole (`EVAL`; Redis 6 and later).
///
/// | key | what |
/// | --- | --- |
/// | `{weir}:hubs` | by hub: its process, its address, the end of its lease on the registry's clock |
/// | `{weir}:agents` | by agent: the hub and process that have it, the number, what it serves |
/// | `{weir}:settled` | the authority of the mesh, sealed |
/// | `{weir}:tunnel_tokens`, `{weir}:tunnel_agents` | the common book, sealed |
/// | `{weir}:spent` | by token: the hub that has spent it |
/// | `{weir}:clock` | the incarnation; the highest number; the versions of the view and of the book |
///
/// A hub whose lease has ended is struck out with all that it had by whoever beats next, itself included: so a hub that
/// was paused for longer gets new numbers. All keys share a hash tag, as a cluster wants.
enum RegistryScript {
    static let beat = """
        local hubs, agents, clock = KEYS[1], KEYS[2], KEYS[3]
        local name, instance, address, leaving = ARGV[2], ARGV[3], ARGV[4], ARGV[9] == '1'
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local incarnation = redis.call('HGET', clock, 'incarnation')
        if not incarnation then
          incarnation = ARGV[1]
          redis.call('HSET', clock, 'incarnation', incarnation)
        end
        if tonumber(ARGV[6]) > tonumber(redis.call('HGET', clock, 'epoch') or '0') then
          redis.call('HSET', clock, 'epoch', ARGV[6])
        end
        local known = redis.call('HGET', hubs, name)
        if known then
          local hub = cjson.decode(known)
          if hub.instance ~= instance and hub.lapses > now then return {incarnation, '0', '0', 1} end
        end
        local changed, dead, mine = false, {}, nil
        local all = redis.call('HGETALL', hubs)
        for i = 1, #all, 2 do
          local hub = cjson.decode(all[i + 1])
          if hub.lapses <= now or (leaving and all[i] == name) then
            redis.call('HDEL', hubs, all[i])
            dead[all[i] .. ' ' .. hub.instance] = true
            changed = true
          elseif all[i] == name then
            mine = hub
          end
        end
        if changed then
          local owned = redis.call('HGETALL', agents)
          for i = 1, #owned, 2 do
            local owner = cjson.decode(owned[i + 1])
            if dead[owner.hub .. ' ' .. owner.instance] then redis.call('HDEL', agents, owned[i]) end
          end
        end
        if not leaving then
          if not mine or mine.address ~= address then changed = true end
          local record = {instance = instance, address = address, lapses = now + tonumber(ARGV[5])}
          redis.call('HSET', hubs, name, cjson.encode(record))
          local place = 11
          for i = 1, tonumber(ARGV[10]) do
            local text = redis.call('HGET', agents, ARGV[place])
            local owner = text and cjson.decode(text)
            if owner and owner.hub == name and owner.instance == instance then
              redis.call('HDEL', agents, ARGV[place])
              changed = true
            end
            place = place + 1
          end
          while place <= #ARGV do
            local agent, free, process, connectors = ARGV[place], ARGV[place + 1], ARGV[place + 2], ARGV[place + 3]
            local text = redis.call('HGET', agents, agent)
            local owner = text and cjson.decode(text)
            local ours = owner and owner.hub == name and owner.instance == instance
            if ours or not owner or free == '0' then
              local number = ours and owner.number or redis.call('HINCRBY', clock, 'epoch', 1)
              local record = {hub = name, instance = instance, number = number, process = process,
                connectors = connectors}
              redis.call('HSET', agents, agent, cjson.encode(record))
              if not ours or owner.connectors ~= connectors or owner.process ~= process then changed = true end
            end
            place = place + 4
          end
        end
        if changed then redis.call('HINCRBY', clock, 'version', 1) end
        local version = redis.call('HGET', clock, 'version') or '0'
        local book = redis.call('HGET', clock, 'book') or '0'
        if incarnation == ARGV[7] and version == ARGV[8] then return {incarnation, version, book, 0} end
        return {incarnation, version, book, 0, redis.call('HGETALL', hubs), redis.call('HGETALL', agents)}
        """

    /// Puts a field of a hash in the place of the one that was read. An empty text is none: then nobody has to remember
    /// that it was spent either.
    static let exchange = """
        local old = redis.call('HGET', KEYS[1], ARGV[1]) or ''
        if old ~= ARGV[2] then return 0 end
        if ARGV[3] == '' then
          redis.call('HDEL', KEYS[1], ARGV[1])
          redis.call('HDEL', KEYS[3], ARGV[1])
        else
          redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
        end
        redis.call('HINCRBY', KEYS[2], 'book', 1)
        return 1
        """

    /// Puts a field of a hash when there is none, and says what is there then.
    static let settle = """
        redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
        return redis.call('HGET', KEYS[1], ARGV[1])
        """
}
