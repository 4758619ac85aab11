function love.conf(t)
  t.identity = "pcg-love"
  t.version = "11.5"
  t.window.title = "pcg: a world, a level and somebody in it"
  t.window.width, t.window.height = 1072, 600
  t.modules.audio, t.modules.sound, t.modules.physics, t.modules.joystick = false, false, false, false
end
